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
    status: StatusCode,
    body: Bytes,
    headers: Vec<(HeaderName, HeaderValue)>,
    signed_by: Option<SigningKey>,
}

impl Reply {
    pub(super) fn raw(status: StatusCode, body: impl Into<Bytes>) -> Self {
        Self { status, body: body.into(), headers: Vec::new(), signed_by: None }
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
            self.headers.push((name, value));
        }
        self
    }

    /// Signs the answer with the key that signed the request (P-060).
    pub(super) fn signed_by(self, key: Option<&SigningKey>) -> Self {
        Self { signed_by: key.cloned(), ..self }
    }

    /// Lets `edit` change status, body and the headers that this answer sets.
    pub(super) fn edited(self, edit: impl FnOnce(&mut http::Response<Bytes>)) -> Self {
        let mut response = http::Response::new(self.body);
        *response.status_mut() = self.status;
        for (name, value) in self.headers {
            response.headers_mut().append(name, value);
        }
        edit(&mut response);
        let (parts, body) = response.into_parts();
        let headers = parts.headers.iter();
        let headers = headers.map(|(name, value)| (name.clone(), value.clone())).collect();
        Self { status: parts.status, body, headers, signed_by: self.signed_by }
    }

    pub(super) fn without_body(self) -> Self {
        Self { body: Bytes::new(), ..self }
    }

    /// Adds what every answer carries: without the SDK header the server takes it for some other program's
    /// (P-001, P-002).
    pub(super) fn into_response(
        self,
        framework: Option<&'static str>,
        env: Option<&str>,
        clock: &Clock,
    ) -> http::Response<Bytes> {
        let always = Self { headers: Vec::new(), ..self }
            .header(header::CONTENT_TYPE, headers::JSON)
            .header(headers::SDK, headers::SDK_VALUE)
            .header(headers::REQ_VERSION, "2");
        let Self { status, body, headers: mut all, signed_by } = always;
        all.extend(self.headers);
        let optional = [
            (headers::FRAMEWORK, framework.map(str::to_owned)),
            (headers::ENV, env.map(str::to_owned)),
            (headers::SIGNATURE, signed_by.map(|key| key.sign(&body, clock.unix_seconds()))),
        ];
        for (name, value) in optional {
            if let Some(Ok(value)) = value.map(HeaderValue::try_from) {
                all.push((name, value));
            }
        }
        let mut response = http::Response::new(body);
        *response.status_mut() = status;
        response.headers_mut().extend(all.into_iter().map(|(name, value)| (Some(name), value)));
        response
    }
}
