//! Who holds a connection, and who gives one up when there are too many.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::http::client;

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
        let (client, close) = (client::key(peer), Arc::new(Notify::new()));
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

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::sync::Arc;

    use futures_util::FutureExt as _;

    use super::{Connections, Slot};

    struct Crowd(Arc<Connections>);

    impl Crowd {
        fn of(limit: usize) -> Self {
            Self(Connections::new(limit))
        }

        fn connect(&self, peer: &str) -> Slot {
            self.0.admit(peer.parse::<IpAddr>().unwrap()).0
        }
    }

    fn closed(slots: &[&Slot]) -> Vec<bool> {
        slots.iter().map(|slot| slot.closed().now_or_never().is_some()).collect()
    }

    #[test]
    fn the_longest_waiting_connection_makes_room() {
        let crowd = Crowd::of(2);
        let (first, second) = (crowd.connect("192.0.2.1"), crowd.connect("192.0.2.1"));
        // An answered request: from now on it has waited less long than the second one.
        first.works();
        first.waits();
        let third = crowd.connect("192.0.2.1");
        assert_eq!(closed(&[&first, &second, &third]), [false, true, false]);
    }

    #[test]
    fn a_client_that_has_most_loses_its_own() {
        let crowd = Crowd::of(3);
        let other = crowd.connect("192.0.2.9");
        let (first, second) = (crowd.connect("192.0.2.1"), crowd.connect("192.0.2.1"));
        let newcomer = crowd.connect("192.0.2.7");
        assert_eq!(closed(&[&other, &first, &second, &newcomer]), [false, true, false, false]);
    }

    #[test]
    fn addresses_of_one_ipv6_network_are_one_client() {
        let crowd = Crowd::of(3);
        let other = crowd.connect("2001:db8:9::1");
        let (first, second) = (crowd.connect("2001:db8::1"), crowd.connect("2001:db8::2"));
        let newcomer = crowd.connect("2001:db8::3");
        assert_eq!(closed(&[&other, &first, &second, &newcomer]), [false, true, false, false]);
    }

    #[test]
    fn running_work_is_never_closed_for_a_newcomer() {
        let crowd = Crowd::of(2);
        let (first, second) = (crowd.connect("192.0.2.1"), crowd.connect("192.0.2.1"));
        first.works();
        second.works();
        let newcomer = crowd.connect("192.0.2.1");
        assert_eq!(closed(&[&first, &second, &newcomer]), [false, false, true]);
        drop(newcomer);
        // Room again once one of them has ended.
        drop(first);
        let later = crowd.connect("192.0.2.1");
        assert_eq!(closed(&[&second, &later]), [false, false]);
    }

    #[test]
    fn what_is_dropped_leaves_nothing_behind() {
        let crowd = Crowd::of(1);
        for _ in 0..3 {
            let (_kept, _closed) = (crowd.connect("192.0.2.1"), crowd.connect("192.0.2.1"));
        }
        let open = crowd.0.open();
        assert_eq!((open.connections.len(), open.shares.len()), (0, 0));
    }

    #[test]
    fn when_the_system_has_no_more_some_are_closed_at_once() {
        let crowd = Crowd::of(9);
        let slots: Vec<_> = (0..6).map(|_| crowd.connect("192.0.2.1")).collect();
        slots[0].works();
        crowd.0.make_room();
        assert_eq!(
            closed(&slots.iter().collect::<Vec<_>>()),
            [false, true, true, false, false, false]
        );
    }

    #[test]
    fn at_the_end_all_that_wait_are_closed() {
        let crowd = Crowd::of(3);
        let (idle, working) = (crowd.connect("192.0.2.1"), crowd.connect("192.0.2.1"));
        working.works();
        crowd.0.close_waiting();
        assert_eq!(closed(&[&idle, &working]), [true, false]);
    }
}
