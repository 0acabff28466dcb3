//! Answers that were streamed: the real one is in the body (P-117, P-191).

use std::collections::HashMap;

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::http_client::Answer;

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    status: u16,
    #[serde(default)]
    headers: HashMap<String, String>,
    #[serde(borrow, default)]
    body: Option<&'a RawValue>,
}

/// The answer in the body of one with status 201.
pub(super) fn unpacked(streamed: &Answer) -> Result<Answer, String> {
    let envelope: Envelope<'_> = serde_json::from_slice(&streamed.body)
        .map_err(|error| format!("error parsing stream: {error}"))?;
    if let Some(error) = envelope.error {
        return Err(format!("error parsing stream: {error}"));
    }
    if envelope.status == 201 {
        return Err("error parsing stream: it holds another one".to_owned());
    }
    let mut headers = streamed.headers.clone();
    for (name, value) in &envelope.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.insert(name, value);
        }
    }
    let body = envelope.body.unwrap_or(RawValue::NULL).get();
    // A text is taken for the text of the body.
    let text = serde_json::from_str::<String>(body);
    let body = text.map_or_else(|_| Bytes::copy_from_slice(body.as_bytes()), Bytes::from);
    Ok(Answer { status: envelope.status, headers, body })
}
