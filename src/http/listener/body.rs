use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Sleep, sleep};

use super::connections::Slot;

/// A request's body, of which the rest must come within `limit`.
pub(super) fn timed(body: Incoming, limit: Duration, slot: &Arc<Slot>) -> axum::body::Body {
    if body.is_end_stream() {
        slot.works();
        return axum::body::Body::empty();
    }
    slot.waits();
    let (end, slot) = (Box::pin(sleep(limit)), Arc::clone(slot));
    axum::body::Body::new(TimedBody { body, end, slot })
}

/// `tower_http`'s limit on bodies begins anew with each piece, and a byte a second would be in time for ever. Once the
/// handler has read the body or left it, the request is worked on.
struct TimedBody {
    body: Incoming,
    end: Pin<Box<Sleep>>,
    slot: Arc<Slot>,
}

impl Body for TimedBody {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(frame) => Poll::Ready(frame.map(|frame| frame.map_err(Into::into))),
            Poll::Pending => self.end.as_mut().poll(cx).map(|()| {
                let late = "the body did not come whole in time";
                Some(Err(io::Error::new(io::ErrorKind::TimedOut, late).into()))
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for TimedBody {
    fn drop(&mut self) {
        self.slot.works();
    }
}
