use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::Method;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;

use super::Step;
use super::run::saved;
use crate::engine::{StepSlot, Work};
use crate::json::{self, Unsavable};
use crate::{Result, ResultExt as _, StepError};

impl<'a> Step<'a> {
    /// Has the server make an HTTP request, so that no process of ours waits for the answer. `GET` unless a
    /// body is given or another [`method`](Fetch::method).
    ///
    /// Any answer is a result, also one with an error status: see [`FetchResponse::status`]. The request is
    /// stored by Inngest, with its headers.
    pub fn fetch(self, id: &str, url: impl Into<String>) -> Fetch<'a> {
        let url = url.into();
        Fetch { slot: self.make(id), url, method: None, headers: BTreeMap::new(), body: Ok(None) }
    }
}

/// A request that the server makes: [`Step::fetch`].
#[must_use = "a step that is not awaited does not exist"]
pub struct Fetch<'a> {
    slot: StepSlot<'a>,
    url: String,
    method: Option<Method>,
    headers: BTreeMap<String, String>,
    body: Result<Option<String>, Unsavable>,
}

/// What the server got for a [`Step::fetch`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FetchResponse {
    /// Where the answer came from.
    #[serde(default)]
    pub url: String,
    /// The HTTP status.
    #[serde(rename = "status_code")]
    pub status: u16,
    /// The headers, by their names as Go writes them, such as `Content-Type`.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body.
    #[serde(default)]
    pub body: String,
}

impl FetchResponse {
    /// The body as JSON. A body that does not fit is a final error: fetching it once more gives the same.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_str(&self.body).no_retry()
    }
}

impl Fetch<'_> {
    /// The method.
    pub fn method(self, method: Method) -> Self {
        Self { method: Some(method), ..self }
    }

    /// Adds a header.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.insert(name.into(), value.into());
        self
    }

    /// A JSON body, and `POST` unless another method is given. The server can send no other kind of body: it
    /// puts text that is no JSON into quotes (P-136).
    pub fn json(self, body: &impl Serialize) -> Self {
        let body = if self.slot.is_saved() { Ok(None) } else { json::payload_text(body).map(Some) };
        Self { body, ..self }
    }

    fn describe(&self, body: Option<&str>) -> Result<Work, String> {
        check_url(&self.url)?;
        check_headers(&self.headers)?;
        let mut headers = self.headers.clone();
        if body.is_some() && !headers.keys().any(|name| name.eq_ignore_ascii_case("content-type")) {
            headers.insert("Content-Type".to_owned(), "application/json".to_owned());
        }
        let default = if body.is_some() { Method::POST } else { Method::GET };
        let method = self.method.as_ref().unwrap_or(&default);
        let mut opts = Map::from_iter([
            ("url".to_owned(), Value::from(self.url.as_str())),
            // The server's default is POST, the specification's is GET.
            ("method".to_owned(), Value::from(method.as_str())),
            ("headers".to_owned(), headers.into_iter().collect()),
        ]);
        if let Some(body) = body {
            opts.insert("body".to_owned(), Value::from(body));
        }
        Ok(Work::Ask { op: Work::FETCH, opts })
    }
}

pub(super) fn check_url(url: &str) -> Result<(), String> {
    let parsed = Url::parse(url).map_err(|error| format!("its URL is not usable: {error}"))?;
    if matches!(parsed.scheme(), "http" | "https") {
        Ok(())
    } else {
        Err(format!("its URL begins with `{}`, not with http or https", parsed.scheme()))
    }
}

pub(super) fn check_headers(headers: &BTreeMap<String, String>) -> Result<(), String> {
    for (name, value) in headers {
        if http::HeaderName::try_from(name).is_err() || http::HeaderValue::try_from(value).is_err()
        {
            // Not the value: it may be a secret.
            return Err(format!("its header `{name}` has characters that no header can have"));
        }
    }
    Ok(())
}

impl Future for Fetch<'_> {
    type Output = Result<FetchResponse, StepError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let body = match &self.body {
            Ok(body) => body.as_deref(),
            Err(reason) => {
                return Poll::Ready(Err(reason.of_payload(&self.slot.step().id, "body")));
            }
        };
        let memo = ready!(self.slot.poll_memo(cx, || self.describe(body)));
        saved(&self.slot, memo)
    }
}
