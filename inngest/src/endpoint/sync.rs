//! A verified `PUT`: Inngest asks which functions there are.

use std::sync::atomic::Ordering;

use http::StatusCode;
use http::request::Parts;
use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::Endpoint;
use super::introspect::capabilities;
use super::register::{Registration, failed};
use super::reply::Reply;
use super::serve_url;
use super::trust::Trusted;
use crate::headers;

/// The longest name of a deployment that is handed on; theirs have 36 characters. No signature covers it.
const MAX_DEPLOY_ID: usize = 128;

#[derive(Deserialize)]
struct SyncRequest {
    url: Url,
}

impl Endpoint {
    pub(super) async fn sync(&self, parts: &Parts, trusted: &Trusted) -> Reply {
        let announced = serde_json::from_slice::<SyncRequest>(&trusted.body).ok();
        let announced = announced.map(|request| request.url).filter(is_web);
        let reply = match (self.is_in_band(parts), announced) {
            (true, Some(url)) => self.in_band(&url),
            (true, None) => Reply::json(
                StatusCode::BAD_REQUEST,
                &json!({ "code": "invalid_request", "message": "the body must be {\"url\":\"...\"}" }),
            ),
            (false, announced) => self.out_of_band(parts, trusted, announced.as_ref()).await,
        };
        reply.signed_by(trusted.signed_by.as_ref())
    }

    /// Whether the answer itself is the registration (P-091).
    pub(super) fn is_in_band(&self, parts: &Parts) -> bool {
        self.inner.client.settings().in_band_sync
            && parts.headers.get(headers::SYNC_KIND).is_some_and(|kind| kind == "in_band")
    }

    /// The answer itself is the registration (P-093).
    fn in_band(&self, url: &Url) -> Reply {
        self.inner.contacts.fetch_add(1, Ordering::Relaxed);
        let body = json!({
            "app_id": self.inner.app_id,
            "appVersion": self.inner.app_version,
            "capabilities": capabilities(),
            "env": self.inner.client.settings().env,
            "framework": self.inner.framework,
            "functions": self.registered_functions(url),
            "inspection": self.inspection(),
            "platform": null,
            "sdk_author": "inngest",
            "sdk_language": "rust",
            "sdk_version": headers::SDK_VERSION,
            "url": url,
        });
        Reply::json(StatusCode::OK, &body).header(headers::SYNC_KIND, "in_band")
    }

    async fn out_of_band(
        &self,
        parts: &Parts,
        trusted: &Trusted,
        announced: Option<&Url>,
    ) -> Reply {
        let signed = announced.filter(|_| trusted.signed_by.is_some());
        let settings = self.inner.client.settings();
        match serve_url::of_request(settings, parts, signed, announced) {
            Ok(url) => {
                let server_kind = parts.headers.get(headers::SERVER_KIND).cloned();
                let deploy_id = deploy_id(parts);
                self.register(&Registration { url, deploy_id, server_kind }).await
            }
            Err(message) => failed(StatusCode::BAD_REQUEST, &message),
        }
    }
}

fn is_web(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
}

/// A deployment is named in the query of the `PUT`; the text `undefined` comes from a server bug (P-067).
fn deploy_id(parts: &Parts) -> Option<String> {
    let query = parts.uri.query().unwrap_or_default();
    let (_, id) = url::form_urlencoded::parse(query.as_bytes())
        .find(|(name, value)| name == "deployId" && !value.is_empty() && value != "undefined")?;
    (id.len() <= MAX_DEPLOY_ID).then(|| id.into_owned())
}
