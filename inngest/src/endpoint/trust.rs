//! Who may be believed. A [`Trusted`] value is the only way into a call, and only [`Endpoint::trust`] makes one.

use http::{HeaderMap, StatusCode};

use super::Endpoint;
use super::reply::Reply;
use crate::signing::{SignatureError, SigningKey};
use crate::{Mode, headers};

/// A request that came from Inngest, or from anybody in dev mode.
pub(super) struct Trusted<'r> {
    pub(super) body: &'r [u8],
    /// The key that signed the request; it signs the answer.
    pub(super) signed_by: Option<&'r SigningKey>,
}

/// Why a request is not believed.
pub(super) enum Distrust {
    /// Cloud mode without a key to check with: nothing may pass (P-017).
    NoSigningKey,
    Signature(SignatureError),
}

impl Endpoint {
    /// Decides by the endpoint's own mode, never by what the request says of itself.
    pub(super) fn trust<'r>(
        &'r self,
        request_headers: &HeaderMap,
        body: &'r [u8],
    ) -> Result<Trusted<'r>, Distrust> {
        let settings = self.inner.client.settings();
        if settings.mode == Mode::Dev {
            return Ok(Trusted { body, signed_by: None });
        }
        let keys = settings.signing_keys.as_ref().ok_or(Distrust::NoSigningKey)?;
        // Two signatures are none: it is unknown which one a proxy in between has checked.
        let mut given = request_headers.get_all(headers::SIGNATURE).iter();
        let header = match (given.next(), given.next()) {
            (Some(only), None) => Some(only.to_str().unwrap_or_default()),
            (None, _) => None,
            (Some(_), Some(_)) => Some(""),
        };
        keys.verify(header, body, self.inner.client.clock().unix_seconds())
            .map(|key| Trusted { body, signed_by: Some(key) })
            .map_err(Distrust::Signature)
    }
}

impl Distrust {
    /// The answer, which says nothing of the reason; the log does.
    pub(super) fn reply(&self) -> Reply {
        match self {
            Self::NoSigningKey => {
                tracing::error!(
                    "refused a request: cloud mode needs INNGEST_SIGNING_KEY, or INNGEST_DEV=1 for development"
                );
                let message = "The app runs in cloud mode without a signing key.";
                Reply::json(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    &serde_json::json!({ "code": "internal_server_error", "message": message }),
                )
            }
            // Anybody can send those; a line each would drown the log.
            Self::Signature(reason @ SignatureError::Missing) => {
                tracing::debug!(%reason, "refused a request");
                Reply::message(StatusCode::UNAUTHORIZED, "Unauthorized")
            }
            Self::Signature(reason) => {
                tracing::warn!(%reason, "refused a request");
                Reply::message(StatusCode::UNAUTHORIZED, "Unauthorized")
            }
        }
    }
}
