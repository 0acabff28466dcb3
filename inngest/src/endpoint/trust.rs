//! Which requests are trusted. A [`Trusted`] value is the only way into a call, and only [`Endpoint::trust`] makes one.

use bytes::Bytes;
use http::request::Parts;
use http::{Method, StatusCode};
use url::Url;

use super::Endpoint;
use super::refusals::Reason;
use super::reply::Reply;
use super::serve_url;
use crate::signing::{CANONICAL_FALLBACK_LIMIT, Claim, SignatureError, SigningKey, SigningKeys};
use crate::{Mode, headers};

/// A request that came from Inngest, or in dev mode from any caller.
pub(crate) struct Trusted {
    pub(super) body: Bytes,
    /// The key that signed the request; it signs the answer.
    pub(super) signed_by: Option<SigningKey>,
}

/// What the head of a request allows, before its body is read.
pub(crate) enum Admission<'r> {
    /// The body decides.
    Unverified(Unverified<'r>),
    /// A `PUT` without a signature, which may have this URL registered, the settings' own. Its body is not read.
    Hook(Url),
}

/// The keys, and what a header claims that is well formed and fresh. `None` in dev mode, where every request is trusted.
pub(crate) struct Unverified<'r>(Option<(&'r SigningKeys, Claim)>);

/// Why a request is not answered as asked.
#[derive(Debug, Clone, Copy)]
pub(super) enum Distrust {
    /// Cloud mode without a key to check with: nothing may pass (P-017).
    NoSigningKey,
    Signature(SignatureError),
    /// It was signed as it was before something on the way wrote it anew.
    Rewritten,
}

impl From<Distrust> for Reason {
    fn from(distrust: Distrust) -> Self {
        match distrust {
            Distrust::NoSigningKey => Self::WithoutKey,
            Distrust::Rewritten => Self::Rewritten,
            Distrust::Signature(SignatureError::Missing) => Self::Unsigned,
            Distrust::Signature(SignatureError::Malformed) => Self::Malformed,
            Distrust::Signature(SignatureError::Stale(distance)) => Self::Stale(distance),
            Distrust::Signature(SignatureError::Mismatch) => Self::Forged,
        }
    }
}

impl Endpoint {
    /// Decides by the endpoint's own mode, never by what the request says of itself.
    pub(super) fn admit<'r>(&'r self, parts: &'r Parts) -> Result<Admission<'r>, Distrust> {
        let settings = self.inner.client.settings();
        if settings.mode == Mode::Dev {
            return Ok(Admission::Unverified(Unverified(None)));
        }
        let keys = settings.signing_keys.as_ref().ok_or(Distrust::NoSigningKey)?;
        // Two signatures are none: it is unknown which one a proxy in between has checked.
        let mut given = parts.headers.get_all(headers::SIGNATURE).iter();
        let header = match (given.next(), given.next()) {
            (Some(only), None) => only.to_str().unwrap_or_default(),
            (Some(_), Some(_)) => "",
            (None, _) => {
                let missing = Distrust::Signature(SignatureError::Missing);
                return self.hook(parts).map(Admission::Hook).ok_or(missing);
            }
        };
        let claim = Claim::read(Some(header), self.inner.client.clock().unix_seconds());
        let claim = claim.map_err(Distrust::Signature)?;
        Ok(Admission::Unverified(Unverified(Some((keys, claim)))))
    }

    /// Checks the body of an admitted request.
    pub(super) fn trust(
        &self,
        unverified: &Unverified<'_>,
        body: Bytes,
    ) -> Result<Trusted, Distrust> {
        let Some((keys, claim)) = &unverified.0 else {
            return Ok(Trusted { body, signed_by: None });
        };
        let now = self.inner.client.clock().unix_seconds();
        match claim.fresh(now).and_then(|()| keys.signer(claim, &body)) {
            Ok(key) => Ok(Trusted { signed_by: Some(key.clone()), body }),
            Err(SignatureError::Mismatch)
                if body.len() > CANONICAL_FALLBACK_LIMIT
                    && self.inner.refusals.may_look_closer(now)
                    && keys.signed_canonically(claim, &body) =>
            {
                Err(Distrust::Rewritten)
            }
            Err(error) => Err(Distrust::Signature(error)),
        }
    }

    /// The URL that an unsigned request may have registered. In band the answer holds the app's configuration, so that
    /// takes a signature.
    fn hook(&self, parts: &Parts) -> Option<Url> {
        let settings = self.inner.client.settings();
        let may = settings.unsigned_sync && parts.method == Method::PUT && !self.is_in_band(parts);
        may.then(|| serve_url::of_settings(settings, parts.uri.path())).flatten()
    }

    /// The answer, which says nothing of the reason; the log does, once a minute.
    pub(super) fn refuse(&self, distrust: Distrust) -> Reply {
        self.inner.refusals.count(distrust.into(), self.inner.client.clock().unix_seconds());
        match distrust {
            Distrust::NoSigningKey => {
                let message = "The app runs in cloud mode without a signing key.";
                Reply::json(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    &serde_json::json!({ "code": "internal_server_error", "message": message }),
                )
            }
            Distrust::Signature(_) | Distrust::Rewritten => {
                Reply::message(StatusCode::UNAUTHORIZED, "Unauthorized")
            }
        }
    }
}
