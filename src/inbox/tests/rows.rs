//! What is stored, claimed and removed, on either database.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::task::JoinSet;

use super::{DEADLINE, clock, moved};
use crate::clock::Clock as _;
use crate::db::testing::Database;
use crate::deals::Rules;
use crate::inbox::rows::CLAIM;
use crate::inbox::{Inbox, table};

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_is_given_up_in_the_middle_leaves_no_half_and_blocks_no_other() {
    let database = Database::new().await;
    let inbox = Inbox::new(database.open(clock()).await, Rules::default());
    let leads: Vec<_> = (1..=3).map(moved).collect();
    for microseconds in (0..3000).step_by(10) {
        let storing = inbox.store(b"body", &leads, None);
        let _ = tokio::time::timeout(Duration::from_micros(microseconds), storing).await;
    }
    let stored = tokio::time::timeout(DEADLINE, inbox.store(b"body", &leads, None)).await;
    assert_eq!(stored.unwrap().unwrap().len(), 3);
    assert_eq!(inbox.counts().await.unwrap().waiting % 3, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_row_goes_to_two_replicas() {
    let database = Database::new().await;
    let clock = clock();
    let db = database.open(clock.clone()).await;
    let leads: Vec<_> = (1..=200).map(moved).collect();
    let mut stored =
        Inbox::new(db.clone(), Rules::default()).store(b"body", &leads, None).await.unwrap();

    let mut replicas = JoinSet::new();
    for _ in 0..4 {
        let replica = database.open(clock.clone()).await;
        replicas.spawn(async move {
            let mut claimed = Vec::new();
            for _ in 0..20 {
                claimed.extend(table::claim(&replica, 7).await.unwrap());
            }
            claimed
        });
    }
    let claimed = replicas.join_all().await.into_iter().flatten();
    let mut claimed: Vec<_> = claimed.map(|row| row.id).collect();
    claimed.sort_unstable();
    stored.sort_unstable();
    assert_eq!(claimed, stored, "each of them, once");

    // All of them crashed: the rows are due again.
    clock.advance(CLAIM + Duration::from_secs(1));
    assert_eq!(table::claim(&db, 1000).await.unwrap().len(), 200);
}

#[tokio::test]
async fn the_claims_of_a_service_that_is_gone_end_with_the_next_one_but_not_those_of_replicas() {
    let database = Database::new().await;
    let db = database.open(clock()).await;
    let inbox = Inbox::new(db.clone(), Rules::default());
    inbox.store(b"body", &[moved(1)], None).await.unwrap();
    assert_eq!(table::claim(&db, 9).await.unwrap().len(), 1);
    inbox.forget_claims().await.unwrap();
    let due = table::claim(&db, 9).await.unwrap().len();
    assert_eq!(due, usize::from(!db.is_shared()));
}

#[tokio::test]
async fn bodies_are_removed_after_a_while_but_not_those_of_waiting_rows() {
    let database = Database::new().await;
    let clock = clock();
    let db = database.open(Arc::clone(&clock) as _).await;
    let inbox = Inbox::new(db.clone(), Rules::default());
    inbox.store_unparsable(b"garbage", "no webhook").await.unwrap();
    let ids = inbox.store(b"body", &[moved(1)], None).await.unwrap();
    clock.advance(Duration::from_secs(1));
    assert_eq!(table::purge_bodies(&db, clock.now()).await.unwrap(), 1);
    assert_eq!(inbox.counts().await.unwrap().unparsable, 0);
    inbox.accepted(&[ids[0].as_str()]).await.unwrap();
    assert_eq!(table::purge_bodies(&db, clock.now()).await.unwrap(), 1);
}

#[tokio::test]
async fn webhooks_are_counted_by_the_hour_in_which_they_came() {
    let database = Database::new().await;
    let clock = clock();
    let db = database.open(Arc::clone(&clock) as _).await;
    let inbox = Inbox::new(db.clone(), Rules::default());
    let begin = clock.now();
    for lead in [1, 2, 3] {
        inbox.store(b"body", &[moved(lead)], None).await.unwrap();
        clock.advance(Duration::from_secs(50 * 60));
    }
    let counted = inbox.received_by_hour(begin).await.unwrap();
    assert_eq!(counted.iter().map(|(_, came)| came).sum::<i64>(), 3);
    let first = begin.as_second() / 3600;
    assert!(counted.iter().all(|(hour, _)| (first..=first + 2).contains(hour)), "{counted:?}");
    assert!(inbox.received_by_hour(clock.now()).await.unwrap().is_empty(), "nothing older");
}

/// It is answered 503 and comes again. Stored all the same, it would be two deals where each event is one.
#[tokio::test]
async fn a_webhook_whose_sender_gave_up_is_not_stored() {
    let database = Database::new().await;
    let inbox = Inbox::new(database.open(clock()).await, Rules::default());
    {
        let leads = [moved(1)];
        let mut storing = pin!(inbox.store(b"body", &leads, None));
        let queued = poll_fn(|task| Poll::Ready(storing.as_mut().poll(task).is_pending())).await;
        assert!(queued);
    }
    inbox.store(b"body", &[moved(2)], None).await.unwrap();
    let rows = table::claim(&inbox.db, 9).await.unwrap();
    let leads: Vec<_> = rows.iter().map(|row| row.payload.contains(r#""leadId":2"#)).collect();
    assert_eq!(leads, [true]);
}
