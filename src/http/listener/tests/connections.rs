//! Which connection makes room for another one.

use std::net::IpAddr;
use std::sync::Arc;

use futures_util::FutureExt as _;

use super::super::connections::{Connections, Slot};

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
    assert_eq!(crowd.0.remembered(), (0, 0));
}

#[test]
fn when_the_system_has_no_more_some_are_closed_at_once() {
    let crowd = Crowd::of(9);
    let slots: Vec<_> = (0..6).map(|_| crowd.connect("192.0.2.1")).collect();
    slots[0].works();
    crowd.0.make_room();
    assert_eq!(closed(&slots.iter().collect::<Vec<_>>()), [false, true, true, false, false, false]);
}

#[test]
fn at_the_end_all_that_wait_are_closed() {
    let crowd = Crowd::of(3);
    let (idle, working) = (crowd.connect("192.0.2.1"), crowd.connect("192.0.2.1"));
    working.works();
    crowd.0.close_waiting();
    assert_eq!(closed(&[&idle, &working]), [true, false]);
}
