//! A body that is not handed over too late.
//!
//! Between the claim of a deal and the first byte on the wire lie a connection and a TLS handshake, and the process may be
//! stopped at any point. So the last look at the clock is taken where the body goes to the socket. The ERP acts on no
//! request without its body.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use crate::clock::SharedClock;

/// Until when a request may begin.
#[derive(Clone)]
pub(crate) struct SendBy {
    clock: SharedClock,
    uptime: Duration,
}

impl SendBy {
    /// Until the process has been there for `uptime`.
    pub(crate) fn new(clock: SharedClock, uptime: Duration) -> Self {
        Self { clock, uptime }
    }

    fn is_over(&self) -> bool {
        self.clock.uptime() >= self.uptime
    }
}

/// The body of one request.
pub(super) struct TimedBody {
    bytes: Option<Bytes>,
    send_by: SendBy,
    withheld: Withheld,
}

/// Whether a body was withheld because it was too late.
#[derive(Clone, Default)]
pub(super) struct Withheld(Arc<AtomicBool>);

impl Withheld {
    pub(super) fn get(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

impl TimedBody {
    pub(super) fn new(bytes: Vec<u8>, send_by: SendBy) -> (Self, Withheld) {
        let withheld = Withheld::default();
        (Self { bytes: Some(bytes.into()), send_by, withheld: withheld.clone() }, withheld)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("it was too late to send the request")]
pub(super) struct TooLate;

impl Body for TimedBody {
    type Data = Bytes;
    type Error = TooLate;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, TooLate>>> {
        if self.bytes.is_some() && self.send_by.is_over() {
            self.withheld.0.store(true, Ordering::Release);
            return Poll::Ready(Some(Err(TooLate)));
        }
        Poll::Ready(self.bytes.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.as_ref().map_or(0, Bytes::len) as u64)
    }
}
