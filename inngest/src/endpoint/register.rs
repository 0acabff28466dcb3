//! The registration with Inngest: what the app says to the API about itself.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::header::RETRY_AFTER;
use http::{HeaderValue, Method, StatusCode};
use serde_json::{Value, json};
use url::Url;

use super::introspect::capabilities;
use super::reply::Reply;
use super::{Endpoint, hook};
use crate::client::{REGISTER_LIMIT, path, reason, retry_after};
use crate::function::Served;
use crate::{RegistrationError, headers};

/// What one registration says beside the functions.
pub(super) struct Registration {
    /// The URL that Inngest calls.
    pub(super) url: Url,
    pub(super) deploy_id: Option<String>,
    /// What kind of server asked for it; the API refuses that of another kind (P-046).
    pub(super) server_kind: Option<HeaderValue>,
}

impl Endpoint {
    /// We register ourselves with the server, then answer (P-067..P-073).
    pub(super) async fn register(&self, registration: &Registration) -> Reply {
        match self.announce(registration).await {
            Ok(modified) => {
                let body = json!({ "message": "Successfully synced.", "modified": modified });
                Reply::json(StatusCode::OK, &body)
                    .header(headers::SYNC_KIND, HeaderValue::from_static("out_of_band"))
            }
            Err(error) => {
                // Only a 400's message is shown to people by the server (P-071).
                let status = match &error {
                    RegistrationError::Refused { status, .. } if status.is_client_error() => {
                        StatusCode::BAD_REQUEST
                    }
                    _ => StatusCode::INTERNAL_SERVER_ERROR,
                };
                let reply = failed(status, &error.to_string());
                match error.retry_after() {
                    Some(pause) => reply.header(RETRY_AFTER, HeaderValue::from(pause.as_secs())),
                    None => reply,
                }
            }
        }
    }

    /// Registers the functions. Returns whether that changed anything at Inngest.
    pub(super) async fn announce(
        &self,
        registration: &Registration,
    ) -> Result<bool, RegistrationError> {
        let url = &registration.url;
        let payload = Bytes::from(self.register_payload(url).to_string());
        let kind = registration.server_kind.iter();
        let kind: Vec<_> = kind.map(|kind| (headers::EXPECTED_SERVER_KIND, kind.clone())).collect();
        let deploy_id = registration.deploy_id.as_deref().map(|id| ("deployId", id));
        let path = path(&["fn", "register"], deploy_id);
        let request = self.inner.client.api(Method::POST, &path, payload, &kind);
        let response = tokio::time::timeout(REGISTER_LIMIT, request)
            .await
            .map_err(|_| RegistrationError::Silent)??;
        let status = response.status();
        if !status.is_success() {
            let reason = reason(response.body());
            let retry_after = retry_after(response.headers(), self.inner.client.clock().now());
            return Err(RegistrationError::Refused { status, reason, retry_after });
        }
        // A web page with a 200 comes from something else: nothing was registered.
        let Ok(Value::Object(said)) = serde_json::from_slice(response.body()) else {
            return Err(RegistrationError::NotInngest { status });
        };
        let modified = said.get("modified").and_then(Value::as_bool).unwrap_or(false);
        // The dev server asks every five seconds (P-066).
        if modified {
            tracing::info!(%url, functions = self.inner.functions.len(), "registered with Inngest");
        } else {
            tracing::debug!(%url, "registered with Inngest, nothing new");
        }
        self.inner.contacts.fetch_add(1, Ordering::Relaxed);
        Ok(modified)
    }

    /// Registers the URL for a hook, unless one did so just now.
    pub(super) fn answer_hook(&self, url: &Url) -> hook::SharedReply {
        let now = self.inner.client.clock().unix_seconds();
        self.inner.hooks.reply(now, || {
            let endpoint = self.clone();
            let registration =
                Registration { url: url.clone(), deploy_id: None, server_kind: None };
            async move { endpoint.register(&registration).await }.boxed()
        })
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

    pub(super) fn registered_functions(&self, url: &Url) -> Vec<Value> {
        let functions = self.inner.functions.iter();
        functions.map(|served| registered(served, url)).collect()
    }
}

/// The answer where nothing was registered.
pub(super) fn failed(status: StatusCode, message: &str) -> Reply {
    tracing::warn!(message, "the app could not be registered with Inngest");
    Reply::json(status, &json!({ "message": message, "modified": false }))
}

/// A function as the server stores it (P-075..P-079). Unset settings are left out, never null (T62).
fn registered(served: &Served, url: &Url) -> Value {
    let config = &served.config;
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
    function["triggers"] = json!(served.triggers);
    function["steps"] = json!({ "step": step });
    function
}
