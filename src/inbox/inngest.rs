//! How requests to Inngest are sent.

use std::time::Duration;

use bytes::Bytes;
use inngest::{ReqwestTransport, Transport, TransportError, TransportFuture};

use crate::outbound::Outbound;

/// How long Inngest may take to answer one request.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Requests to Inngest, over the HTTP client that everything shares.
#[derive(Debug, Clone)]
pub struct InngestTransport(Outbound);

impl InngestTransport {
    /// Sends over this client.
    pub fn new(outbound: Outbound) -> Self {
        Self(outbound)
    }
}

impl Transport for InngestTransport {
    fn send(&self, request: http::Request<Bytes>) -> TransportFuture<'_> {
        Box::pin(async move {
            let client = self.0.client().map_err(|error| TransportError::new(error.to_string()))?;
            let transport = ReqwestTransport::new(client);
            match tokio::time::timeout(TIMEOUT, transport.send(request)).await {
                Ok(answer) => answer,
                Err(_) => Err(TransportError::new("no answer within 30 s")),
            }
        })
    }
}
