//! How large ops are to the real server, which writes what they carry anew, as Go does (I3).

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

/// The bytes of JSON as Go writes it: without blanks, and with six bytes for each `<`, `>`, `&` and for two separators of lines.
/// Escapes and numbers stay as they came.
pub(crate) fn counted(json: &str) -> usize {
    let (mut bytes, mut in_text, mut escaped) = (0, false, false);
    for byte in json.bytes() {
        bytes += match byte {
            b' ' | b'\n' | b'\r' | b'\t' if !in_text => 0,
            b'<' | b'>' | b'&' => 6,
            _ => 1,
        };
        in_text ^= byte == b'"' && !escaped;
        escaped = in_text && byte == b'\\' && !escaped;
    }
    // Three bytes each as they are.
    bytes + 3 * json.matches(['\u{2028}', '\u{2029}']).count()
}

/// A value as the server would write it.
pub(crate) fn counted_value(value: &Value) -> usize {
    counted(&value.to_string())
}

/// What of an op has a limit, as it came.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Parts<'a> {
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<Failure<'a>>,
    #[serde(borrow)]
    opts: Option<Inputs<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Inputs<'a> {
    #[serde(borrow)]
    input: Option<&'a RawValue>,
    #[serde(borrow)]
    body: Option<&'a RawValue>,
}

/// An error with the fields that the server keeps.
#[derive(Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
struct Failure<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    message: Cow<'a, str>,
    #[serde(borrow, skip_serializing_if = "str::is_empty")]
    stack: Cow<'a, str>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    no_retry: bool,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    cause: Option<&'a RawValue>,
}

impl Parts<'_> {
    /// The bytes that an op of this kind is given and those that it results in. Texts that cannot be read have none: the op
    /// is refused for them.
    pub(super) fn of(op: &RawValue, code: &str) -> (usize, usize) {
        let parts: Parts<'_> = serde_json::from_str(op.get()).unwrap_or_default();
        let raw = |part: Option<&RawValue>| part.map_or(0, |part| part.get().len());
        let opts = parts.opts.unwrap_or_default();
        let input = match code {
            "StepRun" | "Step" => raw(opts.input),
            "AIGateway" | "AiGateway" => raw(opts.body),
            _ => 0,
        };
        let output = match code {
            "StepRun" => r#"{"data":}"#.len() + parts.data.map_or(4, |data| counted(data.get())),
            "StepError" | "StepFailed" => {
                let error = parts.error.and_then(|error| serde_json::to_string(&error).ok());
                r#"{"error":}"#.len() + error.map_or(4, |error| counted(&error))
            }
            _ => raw(parts.data),
        };
        (input, output)
    }
}

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn json_has_the_bytes_that_go_writes() {
        for (json, bytes) in [
            (r#" { "a" : [ 1.0 , "b c" ] } "#, r#"{"a":[1.0,"b c"]}"#.len()),
            (r#""<&>""#, 2 + 18),
            ("\"\u{2028}\u{2027}\"", 2 + 6 + 3),
            (r#""\" \\" "#, r#""\" \\""#.len()),
            (r#""\u0431""#, 8),
        ] {
            assert_eq!(counted(json), bytes, "{json}");
        }
    }
}
