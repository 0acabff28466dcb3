//! Calls that take long: their answer begins before it is known, so that nothing between the server and the app takes the
//! connection for dead (P-117, P-191).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::unfold;
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use tokio::time::timeout;

use crate::json::MAX_REPLY;
use crate::wire_error::WireError;
use crate::{Error, headers};

/// The answer to a call, under way.
pub(crate) type Answer = Pin<Box<dyn Future<Output = Response<Bytes>> + Send>>;

/// The body of such an answer: white space every so often, and then the answer that the call would have had.
pub(crate) fn streamed(
    answer: Answer,
    every: Duration,
) -> impl Stream<Item = Result<Bytes, Infallible>> + Send {
    unfold(Some((answer, 0)), move |state| async move {
        let (mut answer, spaces) = state?;
        Some(match timeout(every, &mut answer).await {
            Err(_) => (Ok(Bytes::from_static(b" ")), Some((answer, spaces + 1))),
            Ok(response) => (Ok(envelope(&response, spaces)), None),
        })
    })
}

#[derive(Serialize)]
struct Envelope<'a> {
    status: u16,
    headers: BTreeMap<&'a str, &'a str>,
    body: Cow<'a, RawValue>,
}

impl<'a> Envelope<'a> {
    fn of(response: &'a Response<Bytes>) -> Self {
        let text = |value: &'a HeaderValue| value.to_str().ok();
        let headers = response.headers().iter();
        let headers = headers.filter_map(|(name, value)| Some((name.as_str(), text(value)?)));
        Self {
            status: response.status().as_u16(),
            headers: headers.collect(),
            body: as_value(response.body()),
        }
    }
}

/// The server reads a text in place of the body as the body's own text, so a body that is a text becomes one twice.
fn as_value(body: &[u8]) -> Cow<'_, RawValue> {
    let is_text = body.trim_ascii_start().first() == Some(&b'"');
    match serde_json::from_slice(body).ok().filter(|_| !is_text) {
        Some(json) => Cow::Borrowed(json),
        None => {
            let text = to_raw_value(&String::from_utf8_lossy(body));
            text.map_or(Cow::Borrowed(RawValue::NULL), Cow::Owned)
        }
    }
}

fn envelope(response: &Response<Bytes>, spaces: usize) -> Bytes {
    let write = |response| serde_json::to_vec(&Envelope::of(response)).unwrap_or_default();
    let written = write(response);
    match written.len() + spaces {
        fits if fits <= MAX_REPLY => Bytes::from(written),
        bytes => Bytes::from(write(&too_large(response, bytes))),
    }
}

fn too_large(response: &Response<Bytes>, bytes: usize) -> Response<Bytes> {
    let text = format!(
        "the answer has {bytes} bytes as it is streamed, and the server takes at most {MAX_REPLY}; return less, or leave \
         INNGEST_STREAMING out"
    );
    let error = serde_json::to_vec(&WireError::of(&Error::from(text))).unwrap_or_default();
    let mut failed = Response::new(Bytes::from(error));
    *failed.status_mut() = StatusCode::BAD_REQUEST;
    failed.headers_mut().clone_from(response.headers());
    failed.headers_mut().insert(headers::NO_RETRY, HeaderValue::from_static("true"));
    failed.headers_mut().remove(headers::SIGNATURE);
    failed
}
