//! The options of ops whose result the server finds: waits, invocations, requests (P-132..P-136).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Map, Value, json};
use url::Url;

use crate::typed;

/// `step.waitForEvent` (P-132).
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct WaitForEvent {
    #[serde(default)]
    pub(crate) event: String,
    #[serde(rename = "if")]
    pub(crate) condition: Option<String>,
    pub(crate) timeout: String,
}

/// `step.waitForSignal` (P-133).
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct WaitForSignal {
    pub(crate) signal: String,
    pub(crate) timeout: String,
    /// `replace` takes the signal from the run that waits for it; otherwise this run fails.
    pub(crate) conflict: Option<String>,
}

/// `step.invoke` (P-134).
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Invoke {
    pub(crate) function_id: String,
    /// `data`, `user` and `v` of the invoking event.
    #[serde(default)]
    pub(crate) payload: Option<Map<String, Value>>,
    pub(crate) timeout: Option<String>,
}

/// `step.fetch` and `step.ai.infer` (P-135, P-136): a request that the server makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fetch {
    pub(crate) url: Url,
    pub(crate) method: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    /// The answer is a model's: its JSON is the result, an error status a failure.
    pub(crate) inference: bool,
}

#[derive(Deserialize)]
struct Request {
    url: Url,
    method: Option<String>,
    headers: Option<BTreeMap<String, String>>,
    #[serde(default)]
    body: Value,
    auth_key: Option<String>,
    format: Option<String>,
}

/// The real server takes an op whose options it cannot read, and then hangs on it.
fn hangs(name: &str, problem: &str) -> String {
    format!("step {name:?}: {problem}; the real server would hang on it (P-003)")
}

fn read<T: DeserializeOwned>(opts: &Value, name: &str) -> Result<T, String> {
    let none = json!({});
    let opts = if opts.is_null() { &none } else { opts };
    typed::object(opts, "opts").map_err(|problem| hangs(name, &problem))
}

pub(super) fn wait_for_event(opts: &Value, name: &str) -> Result<WaitForEvent, String> {
    let mut wait: WaitForEvent = read(opts, name)?;
    if wait.event.is_empty() {
        name.clone_into(&mut wait.event);
    }
    Ok(wait)
}

pub(super) fn wait_for_signal(opts: &Value, name: &str) -> Result<WaitForSignal, String> {
    let wait: WaitForSignal = read(opts, name)?;
    if wait.signal.is_empty() { Err(hangs(name, "`opts.signal` is empty")) } else { Ok(wait) }
}

pub(super) fn invoke(opts: &Value, name: &str) -> Result<Invoke, String> {
    let invoke: Invoke = read(opts, name)?;
    if invoke.function_id.is_empty() {
        return Err(hangs(name, "`opts.function_id` is empty"));
    }
    let Some(payload) = &invoke.payload else {
        return Err(format!(
            "step {name:?}: `opts.payload` is required; without it the real server crashes and the run hangs (P-004)"
        ));
    };
    for field in ["data", "user"] {
        if payload.get(field).is_some_and(|value| !value.is_object() && !value.is_null()) {
            return Err(hangs(name, &format!("`opts.payload.{field}` must be an object")));
        }
    }
    Ok(invoke)
}

pub(super) fn gateway(opts: &Value, name: &str) -> Result<Fetch, String> {
    let request = request(opts, name)?;
    let body = match request.body {
        Value::Null => String::new(),
        Value::String(body) => body,
        _ => return Err(hangs(name, "`opts.body` must be a string")),
    };
    // Anything but JSON arrives as a JSON string (P-136).
    let is_json = body.is_empty() || serde_json::from_str::<IgnoredAny>(&body).is_ok();
    let method = request.method.filter(|method| !method.is_empty());
    Ok(Fetch {
        url: request.url,
        method: method.unwrap_or_else(|| "POST".to_owned()),
        headers: request.headers.unwrap_or_default().into_iter().collect(),
        body: if is_json { body } else { Value::String(body).to_string() },
        inference: false,
    })
}

pub(super) fn ai_gateway(opts: &Value, name: &str) -> Result<Fetch, String> {
    let Request { mut url, headers, body, auth_key, format, .. } = request(opts, name)?;
    let mut headers: Vec<_> = headers.unwrap_or_default().into_iter().collect();
    let mut header = |name: &str, value: String| headers.push((name.to_owned(), value));
    header("Content-Type", "application/json".to_owned());
    let key = auth_key.unwrap_or_default();
    match format.as_deref() {
        Some("gemini") => _ = url.query_pairs_mut().append_pair("key", &key),
        Some("anthropic") => header("x-api-key", key),
        Some("bedrock") => header("Authorization", key),
        _ => header("Authorization", format!("Bearer {key}")),
    }
    let body = if body.is_null() { String::new() } else { body.to_string() };
    Ok(Fetch { url, method: "POST".to_owned(), headers, body, inference: true })
}

fn request(opts: &Value, name: &str) -> Result<Request, String> {
    let request: Request = read(opts, name)?;
    match request.url.scheme() {
        "http" | "https" => Ok(request),
        scheme => Err(hangs(name, &format!("`opts.url` has the scheme {scheme:?}"))),
    }
}
