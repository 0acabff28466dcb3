//! Asking apps to register: the `PUT` to their endpoint (P-064, P-066).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use serde_json::{Value, json};
use url::Url;

use crate::core::Core;
use crate::http_client::{Answer, Request, SYNC_TIMEOUT};

/// How soon an app that did not answer is asked again, until its first success.
const FIRST_SYNC_INTERVAL: Duration = Duration::from_millis(250);

/// Why an app is not registered.
#[derive(Debug, thiserror::Error)]
#[error("{app} did not register: {reason}")]
pub struct SyncError {
    app: Url,
    reason: String,
}

/// Asks until shutdown: often until the app registers, then every `interval`.
pub(crate) async fn poll(core: Arc<Core>, app: Url, interval: Option<Duration>) {
    let mut last_problem = None;
    loop {
        let wait = match core.shutdown.run_until_cancelled(ping(&core, &app)).await {
            None => return,
            Some(Ok(())) => match interval {
                None => return,
                Some(interval) => interval,
            },
            Some(Err(error)) => {
                // Once per problem, or an app that is not up yet would fill the log.
                let problem = error.to_string();
                if last_problem.as_ref() != Some(&problem) {
                    tracing::info!("{problem}");
                }
                last_problem = Some(problem);
                interval.map_or(FIRST_SYNC_INTERVAL, |interval| interval.min(FIRST_SYNC_INTERVAL))
            }
        };
        if core.shutdown.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
            return;
        }
    }
}

/// Asks once.
pub(crate) async fn ping(core: &Core, app: &Url) -> Result<(), SyncError> {
    let failed = |reason: String| SyncError { app: app.clone(), reason };
    let (body, headers) = request(core, app);
    let answer = core
        .http
        .send(Request {
            method: Method::PUT,
            url: app.clone(),
            headers,
            body,
            timeout: SYNC_TIMEOUT,
        })
        .await
        .map_err(|no_answer| failed(no_answer.to_string()))?;
    match problem(&answer) {
        Some(reason) => Err(failed(reason)),
        None => Ok(()),
    }
}

/// The signature is over the canonical text, but the wire carries `&`, `<` and `>` escaped (P-051).
fn request(core: &Core, app: &Url) -> (Bytes, HeaderMap) {
    let canonical = json!({"url": app.as_str()}).to_string();
    let wire = canonical.replace('&', "\\u0026").replace('<', "\\u003c").replace('>', "\\u003e");
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    headers.insert("user-agent", HeaderValue::from_static("Go-http-client/1.1"));
    headers.insert("x-inngest-server-kind", HeaderValue::from_static(core.server_kind()));
    let seconds = core.env.now().div_euclid(1000);
    let signature = core.signing_key.as_ref().map(|key| key.sign(canonical.as_bytes(), seconds));
    if let Some(signature) = signature.and_then(|text| HeaderValue::from_str(&text).ok()) {
        headers.insert("x-inngest-signature", signature);
    }
    (Bytes::from(wire), headers)
}

/// The problem that an app's answer reports. Stricter than the real server, which takes any unknown status for success
/// (P-071).
fn problem(answer: &Answer) -> Option<String> {
    if !answer.headers.contains_key("x-inngest-sdk") {
        return Some(format!("HTTP {} without an X-Inngest-SDK header", answer.status));
    }
    if (200..300).contains(&answer.status) {
        return None;
    }
    let body: Option<Value> = serde_json::from_slice(&answer.body).ok();
    let message = body.as_ref().and_then(|body| body.get("message")).and_then(Value::as_str);
    let text = || String::from_utf8_lossy(&answer.body).into_owned();
    Some(format!("HTTP {}: {}", answer.status, message.map_or_else(text, str::to_owned)))
}
