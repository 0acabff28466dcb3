//! The options of ops whose result the server finds: waits, invocations, requests (P-132..P-136).

use serde_json::{Map, Value};
use url::Url;

/// Why a 206 reply is no use.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidOps {
    /// The real server rejects the whole reply and tries again.
    #[error("{0}")]
    Rejected(String),
    /// As [`InvalidOps::Rejected`].
    #[error("step output size is greater than the limit")]
    OutputTooLarge(String),
    /// The real server knows the op, this one does not: trying again would not help.
    #[error("op {0} is not supported by this dev server")]
    Unsupported(String),
    /// The real server takes the op, and then hangs or crashes on it.
    #[error("{0}")]
    Violation(String),
}

/// `step.waitForEvent` (P-132).
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct WaitForEvent {
    pub(crate) event: String,
    pub(crate) condition: Option<String>,
    pub(crate) timeout: String,
}

/// `step.waitForSignal` (P-133).
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct WaitForSignal {
    pub(crate) signal: String,
    pub(crate) timeout: String,
    /// Take the signal from the run that waits for it, rather than fail.
    pub(crate) replaces: bool,
}

/// `step.invoke` (P-134).
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Invoke {
    pub(crate) function_id: String,
    /// `data`, `user` and `v` of the invoking event.
    pub(crate) payload: Map<String, Value>,
    pub(crate) timeout: Option<String>,
}

/// `step.fetch` and `step.ai.infer` (P-135, P-136): a request that the server makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fetch {
    pub(crate) url: Url,
    pub(crate) method: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    /// The answer of a model: its JSON is the result, an error status a failure.
    pub(crate) inference: bool,
}

fn hangs(name: &str, why: &str, rule: &str) -> InvalidOps {
    InvalidOps::Violation(format!(
        "step {name:?}: {why}, on which the real server would hang ({rule})"
    ))
}

fn text<'a>(opts: Option<&'a Value>, field: &str) -> Option<&'a str> {
    opts.and_then(|opts| opts.get(field)).and_then(Value::as_str)
}

pub(super) fn wait_for_event(opts: Option<&Value>, name: &str) -> Result<WaitForEvent, InvalidOps> {
    let event = text(opts, "event").filter(|event| !event.is_empty()).unwrap_or(name);
    let timeout = text(opts, "timeout")
        .ok_or_else(|| hangs(name, "a wait must have a `timeout` in its options", "P-003"))?;
    let condition = text(opts, "if").filter(|condition| !condition.is_empty());
    Ok(WaitForEvent {
        event: event.to_owned(),
        condition: condition.map(str::to_owned),
        timeout: timeout.to_owned(),
    })
}

pub(super) fn wait_for_signal(
    opts: Option<&Value>,
    name: &str,
) -> Result<WaitForSignal, InvalidOps> {
    let signal = text(opts, "signal")
        .filter(|signal| !signal.is_empty())
        .ok_or_else(|| hangs(name, "a wait must name its `signal`", "P-003"))?;
    let timeout = text(opts, "timeout")
        .ok_or_else(|| hangs(name, "a wait must have a `timeout` in its options", "P-003"))?;
    Ok(WaitForSignal {
        signal: signal.to_owned(),
        timeout: timeout.to_owned(),
        replaces: text(opts, "conflict") == Some("replace"),
    })
}

pub(super) fn invoke(opts: Option<&Value>, name: &str) -> Result<Invoke, InvalidOps> {
    let function_id = text(opts, "function_id")
        .filter(|id| !id.is_empty())
        .ok_or_else(|| hangs(name, "an invocation must name its `function_id`", "P-003"))?;
    let payload = match opts.and_then(|opts| opts.get("payload")) {
        Some(Value::Object(payload)) => payload.clone(),
        None | Some(Value::Null) => {
            return Err(InvalidOps::Violation(format!(
                "step {name:?}: an invocation must have an object as `payload`; without one the \
                 real server crashes and the run hangs (P-004)"
            )));
        }
        Some(_) => return Err(hangs(name, "`payload` must be an object", "P-003")),
    };
    for field in ["data", "user"] {
        if payload.get(field).is_some_and(|value| !value.is_object() && !value.is_null()) {
            return Err(hangs(name, &format!("`payload.{field}` must be an object"), "P-003"));
        }
    }
    Ok(Invoke {
        function_id: function_id.to_owned(),
        payload,
        timeout: text(opts, "timeout").map(str::to_owned),
    })
}

pub(super) fn gateway(opts: Option<&Value>, name: &str) -> Result<Fetch, InvalidOps> {
    let body = match opts.and_then(|opts| opts.get("body")) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(body)) => body.clone(),
        Some(_) => return Err(hangs(name, "the `body` of a request must be a string", "P-003")),
    };
    // What is no JSON arrives as a JSON string (P-136).
    let is_json = body.is_empty() || serde_json::from_str::<serde::de::IgnoredAny>(&body).is_ok();
    Ok(Fetch {
        url: url(opts, name)?,
        method: text(opts, "method").filter(|method| !method.is_empty()).unwrap_or("POST").into(),
        headers: headers(opts, name)?,
        body: if is_json { body } else { Value::String(body).to_string() },
        inference: false,
    })
}

pub(super) fn ai_gateway(opts: Option<&Value>, name: &str) -> Result<Fetch, InvalidOps> {
    let mut url = url(opts, name)?;
    let mut all = headers(opts, name)?;
    all.push(("Content-Type".to_owned(), "application/json".to_owned()));
    let key = text(opts, "auth_key").unwrap_or_default().to_owned();
    match text(opts, "format") {
        Some("gemini") => _ = url.query_pairs_mut().append_pair("key", &key),
        Some("anthropic") => all.push(("x-api-key".to_owned(), key)),
        Some("bedrock") => all.push(("Authorization".to_owned(), key)),
        _ => all.push(("Authorization".to_owned(), format!("Bearer {key}"))),
    }
    let body = opts.and_then(|opts| opts.get("body")).map(Value::to_string).unwrap_or_default();
    Ok(Fetch { url, method: "POST".to_owned(), headers: all, body, inference: true })
}

fn url(opts: Option<&Value>, name: &str) -> Result<Url, InvalidOps> {
    text(opts, "url")
        .and_then(|url| Url::parse(url).ok())
        .filter(|url| matches!(url.scheme(), "http" | "https"))
        .ok_or_else(|| hangs(name, "a request must have an absolute `url`", "P-003"))
}

fn headers(opts: Option<&Value>, name: &str) -> Result<Vec<(String, String)>, InvalidOps> {
    let Some(headers) = opts.and_then(|opts| opts.get("headers")).filter(|found| !found.is_null())
    else {
        return Ok(Vec::new());
    };
    let problem = || hangs(name, "`headers` must be an object of strings", "P-003");
    let fields = headers.as_object().ok_or_else(problem)?;
    fields
        .iter()
        .map(|(name, value)| Ok((name.clone(), value.as_str().ok_or_else(problem)?.to_owned())))
        .collect()
}
