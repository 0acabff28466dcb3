//! What an SDK's answer to a call means.

use serde_json::{Value, json};

use super::{retry, stream};
use crate::http_client::{Answer, NoAnswer};
use crate::ops::Op;
use crate::ops::parse::{self, InvalidOps};
use crate::run::end::Failure;

#[derive(Debug)]
pub(super) enum Reply {
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

/// Judges the answer to a call that was read at `now_ms`.
pub(super) fn judge(answer: Result<Answer, NoAnswer>, now_ms: i64) -> Reply {
    let noticed = |problem: &dyn ToString, no_retry| {
        Reply::Failed(Failure::noticed(problem.to_string(), no_retry))
    };
    let answer = match answer {
        Ok(answer) => answer,
        Err(no_answer @ NoAnswer::Unreachable(_)) => return noticed(&no_answer, false),
        Err(NoAnswer::TooLarge) => {
            let message = "Your function's response body exceeds the maximum size limit";
            let failure = Failure::named("output_too_large", message, None);
            return Reply::Failed(Failure { no_retry: false, ..failure });
        }
    };
    // The real server also reads gzip and br (P-043); SDKs should not compress at all, so this one is stricter.
    let mut encodings = answer.headers.get_all("content-encoding").iter();
    if let Some(encoding) = encodings.find(|encoding| *encoding != "identity") {
        return noticed(&format!("unsupported content encoding: {encoding:?}"), false);
    }
    let header = |name| answer.headers.get(name).and_then(|value| value.to_str().ok());
    // Only the exact text `true` forbids a retry, whatever the status says (P-007, P-037).
    let no_retry = header("x-inngest-no-retry") == Some("true");
    let retry_at = header("retry-after").and_then(|value| retry::retry_at(value, now_ms));
    let failed = |failure| Reply::Failed(Failure { no_retry, retry_at, ..failure });
    if !header("x-inngest-sdk").is_some_and(is_sdk) {
        return failed(not_sdk(&answer));
    }
    if answer.status == 201 {
        return match stream::unpacked(&answer) {
            Ok(answer) => judge(Ok(answer), now_ms),
            Err(problem) => noticed(&problem, false),
        };
    }
    match answer.status {
        206 => match parse::parse(&answer.body, no_retry) {
            Ok(ops) => {
                let version = header("x-inngest-req-version").and_then(|text| text.parse().ok());
                Reply::Ops { ops, version: version.unwrap_or(0), no_retry, retry_at }
            }
            Err(problem @ (InvalidOps::Unsupported(_) | InvalidOps::Violation(_))) => {
                noticed(&problem, true)
            }
            Err(problem) => failed(Failure::noticed(problem.to_string(), false)),
        },
        // P-006: these headers turn even a result into a failure.
        200..300 if !no_retry && retry_at.is_none() => Reply::Done(decode(&answer.body)),
        status => {
            let reason = match status {
                _ if no_retry => "NonRetriableError".to_owned(),
                200..300 => "retry at".to_owned(),
                _ => format!("invalid status code: {status}"),
            };
            Reply::Failed(Failure { output: decode(&answer.body), reason, no_retry, retry_at })
        }
    }
}

/// P-001, P-036. The real server does not look at the header's form, this one does.
fn not_sdk(answer: &Answer) -> Failure {
    if (200..300).contains(&answer.status) {
        let output = match answer.status {
            206 => Value::String(String::from_utf8_lossy(&answer.body).into_owned()),
            _ => decode(&answer.body),
        };
        let reason = "The response did not come from an Inngest SDK";
        return Failure { output, ..Failure::noticed(reason, false) };
    }
    let message = format!("Your server returned HTTP {} before the SDK responded.", answer.status);
    let output = json!({
        "error": message,
        "name": "Server returned a fatal error",
        "message": message,
        "stack": upstream(answer),
    });
    Failure { output, ..Failure::noticed(message, false) }
}

/// What people are shown of an answer that came from something before the app.
fn upstream(answer: &Answer) -> String {
    const MOST: usize = 8 * 1024;
    let what = "No step output was produced before the request failed — this can mean a proxy or \
                load balancer in front of your app returned an error, or your app was unable to respond.";
    if answer.body.is_empty() {
        return what.to_owned();
    }
    let kind = answer.headers.get("content-type").and_then(|kind| kind.to_str().ok());
    let kind = kind.filter(|kind| !kind.is_empty()).unwrap_or("unknown content-type");
    let cut = if answer.body.len() > MOST { "\n… (truncated)" } else { "" };
    let body = String::from_utf8_lossy(&answer.body[..answer.body.len().min(MOST)]);
    format!("{what}\n\nUpstream response ({kind}):\n{body}{cut}")
}

/// `<name>:v<semver>`, with exactly one colon (P-036).
fn is_sdk(header: &str) -> bool {
    let Some((name, version)) = header.split_once(":v") else { return false };
    let numbers = version.split(['-', '+']).next().unwrap_or_default().split('.');
    !name.is_empty()
        && header.matches(':').count() == 1
        && numbers.clone().count() <= 3
        && numbers.clone().all(|number| number.parse::<u64>().is_ok())
}

/// A body as the server stores it: JSON, an object inside a JSON string, or text (P-115).
pub(super) fn decode(body: &[u8]) -> Value {
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
    match nested.unwrap_or(value) {
        object @ Value::Object(_) => canonical(object),
        other => other,
    }
}

/// Only objects are written anew; a list or a number stays the text that it was.
fn canonical(value: Value) -> Value {
    let text = serde_json_canonicalizer::to_vec(&value);
    text.ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or(value)
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
        assert_eq!(decode(br#""{\"a\":1.0}""#), json!({"a": 1}));
        assert_eq!(decode(br#"{"a":1.0,"b":-0.0}"#), json!({"a": 1, "b": 0}));
        assert_eq!(decode(b"[1.0]"), json!([1.0]));
        assert_eq!(decode(br#""[1.0]""#), json!("[1.0]"));
        assert_eq!(decode(br#""{bad""#), json!("{bad"));
        assert_eq!(decode(b""), Value::Null);
        assert_eq!(decode(b"[1]"), json!([1]));
    }
}
