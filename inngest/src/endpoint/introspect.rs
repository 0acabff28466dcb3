use http::StatusCode;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::Endpoint;
use super::reply::Reply;
use super::trust::Trusted;
use crate::headers;
use crate::signing::SigningKey;

/// What this SDK can do beyond the minimum.
pub(super) fn capabilities() -> Value {
    json!({ "in_band_sync": "v1", "trust_probe": "v1" })
}

impl Endpoint {
    /// `GET`: what this app is. In cloud mode only a signed request gets this far: untrusted clients learn nothing (P-098). In
    /// dev mode every caller gets what the dev server needs to find the app (P-094).
    pub(super) fn introspect(&self, trusted: &Trusted) -> Reply {
        if trusted.signed_by.is_none() {
            return Reply::json(StatusCode::OK, &self.unauthenticated_inspection(&Value::Null));
        }
        // Nothing in it ever changes.
        let written = self.inner.inspection.get_or_init(|| self.inspection().to_string().into());
        Reply::raw(StatusCode::OK, written.clone()).signed_by(trusted.signed_by.as_ref())
    }

    fn unauthenticated_inspection(&self, authentication_succeeded: &Value) -> Value {
        let settings = self.inner.client.settings();
        let keys = settings.signing_keys.as_ref();
        json!({
            "authentication_succeeded": authentication_succeeded,
            "capabilities": capabilities(),
            "function_count": self.inner.functions.len(),
            "has_event_key": settings.event_key.is_some(),
            "has_signing_key": keys.is_some(),
            "has_signing_key_fallback": keys.is_some_and(|keys| keys.fallback.is_some()),
            "mode": settings.mode.as_str(),
            "schema_version": "2024-05-24",
        })
    }

    /// What a caller who proved to hold the signing key may know (P-096).
    pub(super) fn inspection(&self) -> Value {
        let settings = self.inner.client.settings();
        let keys = settings.signing_keys.as_ref();
        let mut inspection = self.unauthenticated_inspection(&Value::Bool(true));
        let more = json!({
            "api_origin": settings.api_origin,
            "app_id": self.inner.app_id,
            "env": settings.env,
            "event_api_origin": settings.event_origin,
            "event_key_hash": settings.event_key.as_ref().map(|key| hex::encode(Sha256::digest(key))),
            "framework": self.inner.framework,
            "sdk_language": "rust",
            "sdk_version": headers::SDK_VERSION,
            "serve_origin": settings.serve_origin,
            "serve_path": settings.serve_path,
            "signing_key_hash": keys.and_then(|keys| keys.primary.api_token().ok()),
            "signing_key_fallback_hash": keys
                .and_then(|keys| keys.fallback.as_ref())
                .and_then(|key: &SigningKey| key.api_token().ok()),
        });
        if let (Value::Object(all), Value::Object(more)) = (&mut inspection, more) {
            all.extend(more);
        }
        inspection
    }
}
