//! Which connections are open and since when each waits for its client, and which one is closed when there are too many.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::sync::Notify;
use tokio::time::{Sleep, sleep};

/// The connections of a listener.
pub(super) struct Connections {
    limit: usize,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    /// Counts up; orders what happens.
    moment: u64,
    connections: HashMap<u64, Connection>,
    /// How many each client has.
    shares: HashMap<IpAddr, usize>,
}

struct Connection {
    client: IpAddr,
    /// Since when its client has been awaited: with a head, a body, or to take an answer. `None` while a request that
    /// has come whole is worked on; such a connection is never closed for another one.
    waits_since: Option<u64>,
    /// Whether a request has come.
    in_use: bool,
    close: Arc<Notify>,
}

impl Connections {
    pub(super) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, open: Mutex::default() })
    }

    /// Takes in a connection from `peer`. Over the limit one has to go, perhaps this one: the slot's
    /// [`closed`](Slot::closed) ends then. Returns whether that was so.
    pub(super) fn admit(self: &Arc<Self>, peer: IpAddr) -> (Slot, bool) {
        let (client, close) = (client_key(peer), Arc::new(Notify::new()));
        let mut open = self.open();
        let id = open.next_moment();
        let connection =
            Connection { client, waits_since: Some(id), in_use: false, close: Arc::clone(&close) };
        open.connections.insert(id, connection);
        *open.shares.entry(client).or_default() += 1;
        let crowded = open.connections.len() > self.limit;
        if crowded {
            open.close_one();
        }
        drop(open);
        (Slot { id, close, connections: Arc::clone(self) }, crowded)
    }

    /// Closes a quarter of what is open, as far as it waits for its client.
    pub(super) fn make_room(&self) {
        let mut open = self.open();
        for _ in 0..open.connections.len().div_ceil(4) {
            open.close_one();
        }
    }

    /// Closes every connection that waits for its client.
    pub(super) fn close_waiting(&self) {
        let mut open = self.open();
        let waiting = open.connections.iter().filter(|(_, held)| held.waits_since.is_some());
        for id in waiting.map(|(id, _)| *id).collect::<Vec<_>>() {
            open.close(id);
        }
    }

    /// How many connections and clients are remembered.
    #[cfg(test)]
    pub(super) fn remembered(&self) -> (usize, usize) {
        let open = self.open();
        (open.connections.len(), open.shares.len())
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    fn next_moment(&mut self) -> u64 {
        self.moment += 1;
        self.moment
    }

    /// A client loses its own connections before another one does, so that one address alone cannot keep others out;
    /// and of its own the one that has waited longest, so that behind a proxy, where all have one address, what is half
    /// open goes before what is just being sent.
    fn close_one(&mut self) {
        let waiting = self.connections.iter().filter_map(|(id, held)| {
            let share = self.shares.get(&held.client).copied().unwrap_or_default();
            Some(((share, Reverse(held.waits_since?)), *id))
        });
        if let Some((_, id)) = waiting.max() {
            self.close(id);
        }
    }

    fn close(&mut self, id: u64) {
        if let Some(connection) = self.remove(id) {
            connection.close.notify_one();
        }
    }

    fn remove(&mut self, id: u64) -> Option<Connection> {
        let connection = self.connections.remove(&id)?;
        if let Some(share) = self.shares.get_mut(&connection.client) {
            *share -= 1;
            if *share == 0 {
                self.shares.remove(&connection.client);
            }
        }
        Some(connection)
    }
}

/// The place of one connection. Given back when it is dropped.
pub(super) struct Slot {
    id: u64,
    close: Arc<Notify>,
    connections: Arc<Connections>,
}

impl Slot {
    /// The client is awaited: for the rest of its request, or to take an answer and send the next one.
    pub(super) fn waits(&self) {
        let mut open = self.connections.open();
        let moment = open.next_moment();
        if let Some(connection) = open.connections.get_mut(&self.id) {
            (connection.waits_since, connection.in_use) = (Some(moment), true);
        }
    }

    /// A request has come whole and is worked on.
    pub(super) fn works(&self) {
        if let Some(connection) = self.connections.open().connections.get_mut(&self.id) {
            (connection.waits_since, connection.in_use) = (None, true);
        }
    }

    /// Whether a request has come on this connection.
    pub(super) fn is_in_use(&self) -> bool {
        self.connections.open().connections.get(&self.id).is_some_and(|held| held.in_use)
    }

    /// A request's body, of which the rest must come within `limit`.
    pub(super) fn timed(self: &Arc<Self>, body: Incoming, limit: Duration) -> axum::body::Body {
        if body.is_end_stream() {
            self.works();
            return axum::body::Body::empty();
        }
        self.waits();
        let (end, slot) = (Box::pin(sleep(limit)), Arc::clone(self));
        axum::body::Body::new(TimedBody { body, end, slot })
    }

    /// Ends when the connection has to go.
    pub(super) async fn closed(&self) {
        self.close.notified().await;
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.connections.open().remove(self.id);
    }
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

/// The address under which a client is counted: a client with one IPv6 address has a network of them.
pub(in crate::http) fn client_key(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into()
        }
        v4 => v4,
    }
}
