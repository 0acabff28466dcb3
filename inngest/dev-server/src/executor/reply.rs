//! What an SDK's answer to a call means (P-115..P-120).

use http::HeaderMap;
use serde_json::{Value, json};

use super::ops::{self, InvalidOps, Op};
use super::retry;
use crate::http_client::{Answer, NoAnswer};

#[derive(Debug)]
pub(crate) enum Reply {
    /// The function returned.
    Done(Value),
    Ops {
        ops: Vec<Op>,
        /// `X-Inngest-Req-Version` of the reply; 0 when it is missing (P-002).
        version: i64,
        no_retry: bool,
        retry_at: Option<i64>,
    },
    /// The function or the call failed.
    Failed(Failure),
}

#[derive(Debug)]
pub(crate) struct Failure {
    /// What becomes the run's output when no attempt is left.
    pub(crate) output: Value,
    /// `error.error` of the failure event: the server's view of what went wrong.
    pub(crate) reason: String,
    pub(crate) no_retry: bool,
    pub(crate) retry_at: Option<i64>,
}

impl Failure {
    /// A failure that the server noticed, rather than one that the function reported.
    pub(crate) fn noticed(message: impl Into<String>, no_retry: bool) -> Self {
        let reason: String = message.into();
        let output = json!({"name": "Error", "message": reason});
        Self { output, reason, no_retry, retry_at: None }
    }
}

/// Judges the answer to a call that was read at `now_ms`.
pub(crate) fn judge(answer: Result<Answer, NoAnswer>, now_ms: i64) -> Reply {
    let answer = match answer {
        Ok(answer) => answer,
        Err(no_answer) => return Reply::Failed(Failure::noticed(no_answer.to_string(), false)),
    };
    let header = |name| answer.headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(problem) = unreadable_encoding(&answer.headers) {
        return Reply::Failed(Failure::noticed(problem, false));
    }
    // Only the exact text `true` forbids a retry, whatever the status says (P-007, P-037).
    let no_retry = header("x-inngest-no-retry") == Some("true");
    let retry_at = header("retry-after").and_then(|value| retry::retry_at(value, now_ms));
    let sdk = header("x-inngest-sdk").is_some_and(is_sdk);
    let success = (200..300).contains(&answer.status);
    if !sdk {
        return Reply::Failed(Failure { no_retry, retry_at, ..not_sdk(&answer) });
    }
    match answer.status {
        201 => Reply::Failed(Failure::noticed(
            "streamed replies (201) are not supported by this dev server",
            true,
        )),
        206 => match ops::parse(&answer.body, no_retry) {
            Ok(ops) => Reply::Ops { ops, version: version(&answer.headers), no_retry, retry_at },
            Err(problem @ (InvalidOps::Unsupported(_) | InvalidOps::Violation(_))) => {
                Reply::Failed(Failure::noticed(problem.to_string(), true))
            }
            Err(problem) => Reply::Failed(Failure {
                no_retry,
                retry_at,
                ..Failure::noticed(problem.to_string(), false)
            }),
        },
        status => {
            let output = decode(&answer.body);
            let reason = if no_retry {
                "NonRetriableError".to_owned()
            } else {
                format!("invalid status code: {status}")
            };
            // P-006: these headers turn even a result into a failure.
            if success && !no_retry && retry_at.is_none() {
                Reply::Done(output)
            } else {
                Reply::Failed(Failure { output, reason, no_retry, retry_at })
            }
        }
    }
}

/// P-001, P-036. The real server does not look at the header's form, this one does.
fn not_sdk(answer: &Answer) -> Failure {
    if (200..300).contains(&answer.status) {
        return Failure::noticed(
            "not_sdk: the response has no valid X-Inngest-SDK header, so it did not come from an \
             Inngest SDK",
            false,
        );
    }
    let message = format!("Your server returned HTTP {} before the SDK responded.", answer.status);
    let output = json!({
        "error": message,
        "name": "Server returned a fatal error",
        "message": message,
        "stack": String::from_utf8_lossy(&answer.body),
    });
    Failure { output, ..Failure::noticed(message, false) }
}

/// `<name>:v<semver>`, with exactly one colon (P-036).
fn is_sdk(header: &str) -> bool {
    let Some((name, version)) = header.split_once(':') else { return false };
    let Some(version) = version.strip_prefix('v') else { return false };
    let core = version.split(['-', '+']).next().unwrap_or_default();
    let numbers = core.split('.').collect::<Vec<_>>();
    !name.is_empty()
        && !version.contains(':')
        && (1..=3).contains(&numbers.len())
        && numbers
            .iter()
            .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
}

fn version(headers: &HeaderMap) -> i64 {
    let header = headers.get("x-inngest-req-version").and_then(|value| value.to_str().ok());
    header.and_then(|value| value.parse().ok()).unwrap_or(0)
}

/// The real server also reads gzip and br (P-043); SDKs should not compress at all, so this one is stricter.
fn unreadable_encoding(headers: &HeaderMap) -> Option<String> {
    let encodings = headers.get_all("content-encoding");
    let unreadable = encodings.iter().find(|encoding| *encoding != "identity")?;
    Some(format!("unsupported content encoding: {unreadable:?}"))
}

/// A body as the server stores it: JSON, an object inside a JSON string, or text (P-115).
pub(crate) fn decode(body: &[u8]) -> Value {
    if body.is_empty() {
        return Value::Null;
    }
    let Ok(value) = serde_json::from_slice::<Value>(body) else {
        return Value::String(String::from_utf8_lossy(body).into_owned());
    };
    let nested = value
        .as_str()
        .filter(|text| text.starts_with('{'))
        .and_then(|text| serde_json::from_str::<Value>(text).ok());
    nested.unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_sdk_names_itself_with_a_version() {
        for good in ["inngest-rs:v0.1.0", "js:v1.2.3-beta.5", "x:v1"] {
            assert!(is_sdk(good), "{good}");
        }
        for bad in ["", "inngest-rs", "inngest-rs:0.1.0", "a:b:v1.0.0", ":v1.0.0", "x:v", "x:v1.x"]
        {
            assert!(!is_sdk(bad), "{bad}");
        }
    }

    #[test]
    fn bodies_are_decoded_as_the_server_does() {
        assert_eq!(decode(b"hello"), json!("hello"));
        assert_eq!(decode(br#""{\"a\":1}""#), json!({"a": 1}));
        assert_eq!(decode(b""), Value::Null);
        assert_eq!(decode(b"[1]"), json!([1]));
    }
}
