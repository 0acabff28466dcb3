use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use serde_json::{Value, json};

use crate::{Transport, TransportError, TransportFuture};

/// An Inngest API that takes events and nothing else.
#[derive(Clone, Default)]
pub(super) struct RecordedApi(Arc<Mutex<Vec<Value>>>);

impl RecordedApi {
    /// All events so far.
    pub(super) fn sent(&self) -> Vec<Value> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn take(
        &self,
        request: &http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let path = request.uri().path();
        if !path.starts_with("/e/") {
            return Err(TransportError::new(format!("a test run has no Inngest API at {path}")));
        }
        let events: Vec<Value> = serde_json::from_slice(request.body())
            .map_err(|error| TransportError::new(error.to_string()))?;
        let mut sent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let first = sent.len();
        sent.extend(events);
        let ids: Vec<_> = (first..sent.len()).map(|index| format!("sent-{index}")).collect();
        Ok(http::Response::new(json!({ "ids": ids, "status": 200 }).to_string().into()))
    }
}

impl Transport for RecordedApi {
    fn send(&self, request: http::Request<Bytes>) -> TransportFuture<'_> {
        let answer = self.take(&request);
        Box::pin(async { answer })
    }
}
