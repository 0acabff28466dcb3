//! `PUT`: registers the functions with Inngest.

use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::introspect::capabilities;
use super::reply::Reply;
use super::serve_url::serve_url;
use super::trust::Distrust;
use super::{Endpoint, Served};
use crate::signing::SignatureError;
use crate::{Settings, UnsignedSync, headers};

/// The server waits 10 s for the answer to its `PUT`; the registration has to fit in (P-064).
const REGISTER_LIMIT: Duration = Duration::from_secs(8);

#[derive(Deserialize)]
struct SyncRequest {
    url: Url,
}

impl Endpoint {
    pub(super) async fn sync(&self, parts: &Parts, body: &Bytes) -> Reply {
        let settings = self.inner.client.settings();
        let in_band = settings.in_band_sync
            && parts.headers.get(headers::SYNC_KIND).is_some_and(|kind| kind == "in_band");
        let signed_by = match self.trust(&parts.headers, body) {
            Ok(trusted) => trusted.signed_by,
            Err(Distrust::Signature(SignatureError::Missing))
                if !in_band && accepts_unsigned(settings) =>
            {
                None
            }
            Err(distrust) => return distrust.reply(),
        };
        let announced = serde_json::from_slice::<SyncRequest>(body).ok().map(|request| request.url);
        let reply = match (in_band, announced) {
            (true, Some(url)) => self.in_band(&url),
            (true, None) => Reply::json(
                StatusCode::BAD_REQUEST,
                &json!({ "code": "invalid_request", "message": "the body must be {\"url\":\"...\"}" }),
            ),
            (false, announced) => self.out_of_band(parts, announced.as_ref()).await,
        };
        reply.signed_by(signed_by)
    }

    /// The answer itself is the registration (P-093).
    fn in_band(&self, url: &Url) -> Reply {
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

    /// We register ourselves with the server, then answer (P-067..P-073).
    async fn out_of_band(&self, parts: &Parts, announced: Option<&Url>) -> Reply {
        let failed = |status, message: &str| {
            tracing::warn!(message, "the app could not be registered with Inngest");
            Reply::json(status, &json!({ "message": message, "modified": false }))
        };
        let url = match serve_url(self.inner.client.settings(), parts, announced) {
            Ok(url) => url,
            Err(message) => return failed(StatusCode::BAD_REQUEST, &message),
        };
        let payload = Bytes::from(self.register_payload(&url).to_string());
        let server_kind: Vec<_> = parts
            .headers
            .get(headers::SERVER_KIND)
            .map(|kind| (headers::EXPECTED_SERVER_KIND, kind.clone()))
            .into_iter()
            .collect();
        let path = register_path(parts);
        let request = self.inner.client.api(Method::POST, &path, payload, &server_kind);
        let response = match tokio::time::timeout(REGISTER_LIMIT, request).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => {
                return failed(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    &format!("the Inngest API cannot be reached: {error}"),
                );
            }
            Err(_) => {
                return failed(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "the Inngest API did not answer within 8 s",
                );
            }
        };
        let (status, said) = (response.status(), response.body());
        if status.is_success() {
            let modified = serde_json::from_slice::<Value>(said)
                .ok()
                .and_then(|said| said.get("modified")?.as_bool())
                .unwrap_or(false);
            // The dev server asks every five seconds (P-066).
            if modified {
                tracing::info!(%url, functions = self.inner.functions.len(), "registered with Inngest");
            } else {
                tracing::debug!(%url, "registered with Inngest, nothing new");
            }
            let body = json!({ "message": "Successfully synced.", "modified": modified });
            Reply::json(StatusCode::OK, &body)
                .header(headers::SYNC_KIND, HeaderValue::from_static("out_of_band"))
        } else {
            // Only a 400's message is shown to people by the server (P-071).
            let answer = if status.is_client_error() {
                StatusCode::BAD_REQUEST
            } else {
                StatusCode::INTERNAL_SERVER_ERROR
            };
            failed(
                answer,
                &format!("Inngest refused the registration (HTTP {status}): {}", reason(said)),
            )
        }
    }

    fn register_payload(&self, url: &Url) -> Value {
        let env = self.inner.client.settings().env.as_deref().unwrap_or_default();
        let mut payload = json!({
            "url": url,
            "deployType": "ping",
            "idempotencyKey": "",
            "appName": self.inner.app_id,
            "sdk": headers::SDK_VALUE,
            "v": "0.1",
            "framework": self.inner.framework.unwrap_or("http"),
            "headers": { "env": env, "platform": "" },
            "capabilities": capabilities(),
            "functions": self.registered_functions(url),
        });
        if let Some(version) = &self.inner.app_version {
            payload["appVersion"] = json!(version);
        }
        payload
    }

    fn registered_functions(&self, url: &Url) -> Vec<Value> {
        let functions = self.inner.functions.iter();
        functions.map(|served| registered(&self.inner.app_id, served, url)).collect()
    }
}

/// Whether a `PUT` without a signature may start a sync out of band, see [`UnsignedSync`].
fn accepts_unsigned(settings: &Settings) -> bool {
    match settings.unsigned_sync {
        UnsignedSync::WhereOriginIsSet => settings.serve_origin.is_some(),
        UnsignedSync::Accept => true,
        UnsignedSync::Refuse => false,
    }
}

/// A function as the server stores it (P-075..P-090). Unset settings are left out, never null (T62).
fn registered(app_id: &str, served: &Served, url: &Url) -> Value {
    let config = served.function.config();
    let mut url = url.clone();
    url.query_pairs_mut().append_pair("fnId", &served.id).append_pair("stepId", "step");
    let mut step = json!({
        "id": "step",
        "name": "step",
        "runtime": { "type": "http", "url": url },
    });
    if let Some(retries) = config.retries {
        step["retries"] = json!({ "attempts": retries });
    }
    let mut function = json!(config);
    function["id"] = json!(served.id);
    function["name"] = json!(config.name.as_deref().unwrap_or(&served.id));
    function["triggers"] = json!(served.function.triggers(app_id));
    function["steps"] = json!({ "step": step });
    function
}

/// A deployment is named in the query of the `PUT`; the text `undefined` comes from a server bug (P-067).
fn register_path(parts: &Parts) -> String {
    let query = parts.uri.query().unwrap_or_default();
    let deploy_id = url::form_urlencoded::parse(query.as_bytes())
        .find(|(name, value)| name == "deployId" && !value.is_empty() && value != "undefined");
    match deploy_id {
        Some((_, id)) => {
            format!("/fn/register?deployId={}", utf8_percent_encode(&id, NON_ALPHANUMERIC))
        }
        None => "/fn/register".to_owned(),
    }
}

/// Errors come as JSON in two shapes, as text, or as a proxy's page (P-070).
fn reason(body: &[u8]) -> String {
    let json: Option<Value> = serde_json::from_slice(body).ok();
    let text = json
        .and_then(|json| Some(json.get("error").or(json.get("message"))?.as_str()?.to_owned()))
        .unwrap_or_else(|| String::from_utf8_lossy(body).trim().chars().take(200).collect());
    if text.is_empty() { "no reason given".to_owned() } else { text }
}
