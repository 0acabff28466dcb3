//! Requests to Inngest.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use inngest::{
    Client, Clock, ReqwestTransport, Settings, Transport, TransportError, TransportFuture,
};

use super::Outbound;
use crate::clock::SharedClock;

/// How long Inngest may take to answer one request.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A client of Inngest that shares the HTTP client and the clock of everything else.
pub(crate) fn inngest_client(
    settings: Settings,
    outbound: Outbound,
    clock: &SharedClock,
) -> Client {
    let clock = std::sync::Arc::clone(clock);
    let clock = Clock::new(move || SystemTime::from(clock.now()));
    Client::with_sources(settings, InngestTransport(outbound), clock, |bytes| {
        // The seed of event ids. Without entropy it still is the same for all tries of one send.
        let _ = getrandom::fill(bytes);
    })
}

struct InngestTransport(Outbound);

impl Transport for InngestTransport {
    fn send(&self, request: http::Request<Bytes>) -> TransportFuture<'_> {
        #[cfg(test)]
        if let Some(world) = crate::simulator::current() {
            return Box::pin(async move { world.answers_for_inngest(request, TIMEOUT).await });
        }
        Box::pin(async move {
            let client = self.0.client().map_err(|error| TransportError::new(error.to_string()))?;
            let transport = ReqwestTransport::new(client);
            match tokio::time::timeout(TIMEOUT, transport.send(request)).await {
                Ok(answer) => answer,
                Err(_) => Err(TransportError::new(format!("no answer within {TIMEOUT:?}"))),
            }
        })
    }
}
