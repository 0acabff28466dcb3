//! Requests as Inngest wants them, each with a deadline.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, StatusCode, header};

use super::Client;
use super::path::path;
use crate::headers;
use crate::signing::SigningKeys;
use crate::transport::TransportError;

impl Client {
    /// A request to the Inngest API. The second signing key is tried when the first is refused, which happens
    /// during a rotation.
    pub(crate) async fn api(
        &self,
        method: Method,
        path_and_query: &str,
        body: Bytes,
        extra: &[(HeaderName, HeaderValue)],
    ) -> Result<http::Response<Bytes>, TransportError> {
        let url = format!("{}{path_and_query}", self.settings().api_origin);
        let tokens = self.tokens();
        let fallback_first = tokens.len() == 2 && self.inner.fallback_works.load(Ordering::Relaxed);
        let order: &[usize] = match tokens.len() {
            0 | 1 => &[0],
            _ if fallback_first => &[1, 0],
            _ => &[0, 1],
        };
        let mut refused = None;
        for &key in order {
            let mut request = self.request(method.clone(), &url, body.clone())?;
            request
                .headers_mut()
                .extend(extra.iter().cloned().map(|(name, value)| (Some(name), value)));
            if let Some(token) = tokens.get(key) {
                request
                    .headers_mut()
                    .insert(header::AUTHORIZATION, secret_header(&format!("Bearer {token}"))?);
            }
            let response = self.exchange(request).await?;
            if !matches!(response.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
                self.inner.fallback_works.store(key == 1, Ordering::Relaxed);
                return Ok(response);
            }
            refused = refused.or(Some(response));
        }
        refused.ok_or_else(|| TransportError::new("no request was made"))
    }

    /// Asks the Inngest API, with the signing key, for a run that does not exist. The answer shows whether the API is
    /// there and knows the key: then it is JSON. Changes nothing.
    pub async fn probe_api(&self) -> Result<http::Response<Bytes>, TransportError> {
        let path = path(&["v1", "runs", "01ARZ3NDEKTSV4RRFFQ69G5FAV"], None);
        self.api(Method::GET, &path, Bytes::new(), &[]).await
    }

    /// The API tokens of the primary and the fallback key. The dev server needs none, so a key that makes no
    /// token is passed over.
    fn tokens(&self) -> Vec<String> {
        let keys = self.settings().signing_keys.iter().flat_map(SigningKeys::iter);
        keys.filter_map(|key| key.api_token().ok()).collect()
    }

    /// Sends a request. A transport that never answers does not hold what waits for it.
    pub(super) async fn exchange(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let answer = tokio::time::timeout(self.deadline, self.inner.transport.send(request)).await;
        let late = |_| TransportError::new(format!("no answer within {:?}", self.deadline));
        answer.map_err(late)?
    }

    pub(super) fn request(
        &self,
        method: Method,
        url: &str,
        body: Bytes,
    ) -> Result<http::Request<Bytes>, TransportError> {
        let mut request = http::Request::builder()
            .method(method)
            .uri(url)
            .header(header::CONTENT_TYPE, headers::JSON)
            .header(header::USER_AGENT, headers::SDK_VALUE)
            .header(headers::SDK, headers::SDK_VALUE);
        if let Some(env) = &self.settings().env {
            request = request.header(headers::ENV, env);
        }
        request.body(body).map_err(|_| {
            TransportError::new(
                "the request cannot be built: check INNGEST_BASE_URL, and INNGEST_ENV for characters that no header \
                 can carry",
            )
        })
    }
}

fn secret_header(value: &str) -> Result<HeaderValue, TransportError> {
    let mut value = HeaderValue::from_str(value).map_err(|_| {
        TransportError::new("the signing key has characters that no header can carry")
    })?;
    value.set_sensitive(true);
    Ok(value)
}
