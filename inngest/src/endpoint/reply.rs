//! Answers, before they become HTTP.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::json;

use crate::duration::retry_after_seconds;
use crate::signing::SigningKey;
use crate::wire_error::WireError;
use crate::{Clock, Error, Retry, headers};

/// An answer of the endpoint.
#[derive(Clone)]
pub(crate) struct Reply {
    response: http::Response<Bytes>,
    signed_by: Option<SigningKey>,
}

/// Headers that fit without their map having to grow: what every answer has, two of its own, a trace of two.
const HEADERS: usize = 10;

impl Reply {
    pub(super) fn raw(status: StatusCode, body: impl Into<Bytes>) -> Self {
        let mut response = http::Response::new(body.into());
        *response.status_mut() = status;
        response.headers_mut().reserve(HEADERS);
        Self { response, signed_by: None }
    }

    pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Self {
        match serde_json::to_vec(body) {
            Ok(body) => Self::raw(status, body),
            Err(error) => {
                tracing::error!(%error, "an answer cannot be written as JSON");
                Self::raw(StatusCode::INTERNAL_SERVER_ERROR, "{}")
            }
        }
    }

    pub(super) fn message(status: StatusCode, message: &str) -> Self {
        Self::json(status, &json!({ "message": message }))
    }

    /// An error with the two fields that the server wants of every error (P-119).
    pub(super) fn function_error(status: StatusCode, name: &str, message: &str) -> Self {
        Self::json(status, &json!({ "name": name, "message": message }))
    }

    /// A function that has failed: 400 when no retry can help, else 500. The header decides, not the status
    /// (P-007).
    pub(super) fn of_error(error: &Error) -> Self {
        let status = match error.retry() {
            Retry::Never => StatusCode::BAD_REQUEST,
            Retry::Backoff | Retry::After(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::json(status, &WireError::of(error)).retry(error.retry())
    }

    /// A problem of this call that another attempt may not have.
    pub(super) fn retriable(message: &str) -> Self {
        Self::of_error(&Error::from(message))
    }

    pub(super) fn retry(self, retry: Retry) -> Self {
        match retry {
            Retry::Never => self.no_retry(true),
            Retry::Backoff => self.no_retry(false),
            Retry::After(delay) => self
                .no_retry(false)
                .header(header::RETRY_AFTER, HeaderValue::from(retry_after_seconds(delay))),
        }
    }

    pub(super) fn no_retry(self, no_retry: bool) -> Self {
        self.header(headers::NO_RETRY, if no_retry { "true" } else { "false" })
    }

    pub(super) fn header(mut self, name: HeaderName, value: impl TryInto<HeaderValue>) -> Self {
        if let Ok(value) = value.try_into() {
            self.response.headers_mut().insert(name, value);
        }
        self
    }

    /// Signs the answer with the key that signed the request (P-060).
    pub(super) fn signed_by(self, key: Option<&SigningKey>) -> Self {
        Self { signed_by: key.cloned(), ..self }
    }

    /// Lets `edit` change status, body and the headers that this answer sets.
    pub(super) fn edited(mut self, edit: impl FnOnce(&mut http::Response<Bytes>)) -> Self {
        edit(&mut self.response);
        self
    }

    pub(super) fn without_body(mut self) -> Self {
        *self.response.body_mut() = Bytes::new();
        self
    }

    /// Adds what every answer carries: without the SDK header the server takes it for some other program's
    /// (P-001, P-002).
    pub(super) fn into_response(
        self,
        framework: Option<&'static str>,
        env: Option<&str>,
        clock: &Clock,
    ) -> http::Response<Bytes> {
        let Self { mut response, signed_by } = self;
        let signature = signed_by.map(|key| key.sign(response.body(), clock.unix_seconds()));
        let headers = response.headers_mut();
        for (name, value) in [
            (header::CONTENT_TYPE, headers::JSON),
            (headers::SDK, headers::SDK_VALUE),
            (headers::REQ_VERSION, "2"),
        ] {
            headers.entry(name).or_insert(HeaderValue::from_static(value));
        }
        if let Some(framework) = framework.and_then(|name| HeaderValue::from_str(name).ok()) {
            headers.insert(headers::FRAMEWORK, framework);
        }
        if let Some(env) = env.and_then(|env| HeaderValue::from_str(env).ok()) {
            headers.insert(headers::ENV, env);
        }
        if let Some(signature) = signature.and_then(|text| HeaderValue::try_from(text).ok()) {
            headers.insert(headers::SIGNATURE, signature);
        }
        response
    }
}
