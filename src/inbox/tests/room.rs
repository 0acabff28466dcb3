//! How many bytes are held at once.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use tokio::task::JoinSet;

use super::eventually;
use super::webhooks::{Service, accepted};
use crate::inbox::read::BODY_LIMIT;
use crate::inbox::read::{ORDINARY, Room};

/// So many of the largest bodies find room.
const LARGEST: u64 = 8;

/// A body of the largest size that names a lead.
fn largest(lead: u64) -> String {
    let mut body = format!("leads[add][0][id]={lead}&leads[add][0][name]=");
    body.push_str(&"x".repeat(BODY_LIMIT - body.len()));
    body
}

#[test]
fn large_bodies_use_up_their_own_room() {
    let room = Room::new();
    let mut held = Vec::new();
    while let Some(mut share) = room.enter().filter(|_| held.len() < 100) {
        if share.grow(BODY_LIMIT).is_none() {
            break;
        }
        held.push(share);
    }
    assert_eq!(held.len() as u64, LARGEST);
    let mut ordinary = room.enter().unwrap();
    assert!(ordinary.grow(ORDINARY).is_some() && ordinary.grow(2 * BODY_LIMIT).is_none());
    held.pop();
    let mut next = room.enter().unwrap();
    assert!((0..BODY_LIMIT / 4096).all(|_| next.grow(4096).is_some()), "in many pieces");
}

#[test]
fn so_many_small_bodies_are_held_and_no_more() {
    let room = Room::new();
    let held: Vec<_> = std::iter::from_fn(|| room.enter()).take(10_000).collect();
    assert_eq!(held.len(), 4096);
    drop(held);
    assert!(room.enter().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_are_counted_for_as_long_as_they_are_held() {
    let service = Arc::new(Service::start().await);
    let transaction = service.inbox.db.begin().await.unwrap();
    let mut answers = JoinSet::new();
    for lead in 1..=LARGEST {
        let service = Arc::clone(&service);
        answers.spawn(async move { service.receives(largest(lead)).await.0 });
    }
    let room = || service.intake.reader.room.enter().unwrap().grow(BODY_LIMIT).is_some();
    eventually("they fill the room", async || (!room()).then_some(())).await;
    assert_eq!(service.receives(largest(9)).await.0, 503);
    assert_eq!(answers.join_all().await, [503; LARGEST as usize]);
    drop(transaction);
    eventually("there is room again", async || room().then_some(())).await;
    assert_eq!(service.receives(largest(9)).await, accepted(1));
}

#[tokio::test]
async fn a_body_is_counted_until_the_database_lets_go_of_it_though_its_sender_has_gone() {
    let (service, room) = (Service::start().await, Room::new());
    let mut all = room.enter().unwrap();
    all.grow(LARGEST as usize * BODY_LIMIT).unwrap();
    let body = all.hold(Bytes::from_static(b"body"));
    {
        let mut storing = pin!(service.inbox.store(body, &[], None));
        assert!(poll_fn(|task| Poll::Ready(storing.as_mut().poll(task).is_pending())).await);
    }
    let is_full = || room.enter().unwrap().grow(BODY_LIMIT).is_none();
    assert!(is_full());
    eventually("there is room again", async || (!is_full()).then_some(())).await;
}
