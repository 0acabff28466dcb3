//! Every change of the database tells when it could not be committed, and the next one goes well.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use functions::webhook::AmoCrmWebhook;
use jiff::Timestamp;
use prometei_flow::clock::ManualClock;
use prometei_flow::db::Db;

use super::refusal::{accept_commits, refuse_commits};
use crate::crash::crash_after;
use crate::database::Database;

/// A database in which each change has something to change.
struct Prepared {
    store: Db,
    inbox_row: String,
    now: Timestamp,
}

type Changed<'a> = Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send + 'a>>;
type Change = for<'a> fn(&'a Prepared) -> Changed<'a>;

/// Every function that changes the inbox; the other features have theirs beside their tables.
const CHANGES: &[(&str, Change)] = &[
    ("accept_webhook", |it| {
        Box::pin(async { it.store.accept_webhook(b"body", &[lead(2)], None).await.map(drop) })
    }),
    ("store_unparsable", |it| Box::pin(it.store.store_unparsable(b"body", "garbage"))),
    ("purge_bodies", |it| Box::pin(async { it.store.purge_bodies(it.now).await.map(drop) })),
    ("claim_batch", |it| Box::pin(async { it.store.claim_batch(10).await.map(drop) })),
    ("release", |it| Box::pin(async { it.store.release(&[it.inbox_row.as_str()]).await })),
    ("delete_accepted", |it| {
        Box::pin(async { it.store.delete_accepted(&[it.inbox_row.as_str()]).await })
    }),
    ("record_failure", |it| {
        Box::pin(async { it.store.record_failure(&[it.inbox_row.as_str()], "away").await })
    }),
    ("park", |it| Box::pin(it.store.park(&it.inbox_row, "refused"))),
    ("unpark", |it| Box::pin(async { it.store.unpark(None).await.map(drop) })),
];

impl Prepared {
    async fn new(database: &Database) -> Self {
        let clock = Arc::new(ManualClock::new("2026-11-22T10:00:00Z".parse().unwrap()));
        let store = database.open(clock.clone()).await;
        store.store_unparsable(b"old", "garbage").await.unwrap();
        let parked = store.accept_webhook(b"body", &[lead(3)], None).await.unwrap();
        store.park(&parked[0], "refused").await.unwrap();
        let inbox_row = store.accept_webhook(b"body", &[lead(1)], None).await.unwrap().remove(0);
        let now = prometei_flow::clock::Clock::now(&*clock);
        Self { store, inbox_row, now }
    }
}

fn lead(lead_id: u64) -> AmoCrmWebhook {
    AmoCrmWebhook {
        lead_id,
        account_id: None,
        subdomain: None,
        pipeline_id: None,
        status_id: None,
        old_pipeline_id: None,
        old_status_id: None,
        action: None,
        received_at: None,
    }
}

/// Makes `change` while nothing can be committed, and again when it can.
async fn try_change(
    name: &str,
    change: Change,
    prepared: &Prepared,
    database: &Database,
) -> Vec<String> {
    let mut wrong = Vec::new();
    refuse_commits(database).await;
    if change(prepared).await.is_ok() {
        wrong.push(format!("{name} said nothing of its failed commit"));
    }
    accept_commits(database).await;
    if let Err(error) = change(prepared).await {
        wrong.push(format!("{name} fails after a failed commit: {error:#}"));
    }
    wrong
}

#[tokio::test]
async fn every_change_tells_of_a_failed_commit_and_the_next_one_goes_well() {
    let mut wrong = Vec::new();
    for (name, change) in CHANGES {
        let database = Database::new().await;
        let prepared = Prepared::new(&database).await;
        wrong.extend(try_change(name, *change, &prepared, &database).await);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn readiness_is_proven_by_a_commit() {
    let database = Database::new().await;
    let clock = Arc::new(ManualClock::new("2026-11-22T10:00:00Z".parse().unwrap()));
    let store = database.open(clock).await;
    refuse_commits(&database).await;
    for _ in 0..2 {
        store.prove_writable().await.unwrap_err();
    }
    // A caller that gave up leaves an empty transaction behind, which can be committed on any disk.
    assert_eq!(crash_after(0, store.prove_writable()).await.map(drop), None);
    // The second of these waits for the connection behind it.
    for _ in 0..2 {
        store.release(&[]).await.unwrap();
    }
    store.prove_writable().await.unwrap_err();
    accept_commits(&database).await;
    store.prove_writable().await.unwrap();
}

#[tokio::test]
async fn a_change_that_is_given_up_half_way_is_made_whole_or_not_at_all_and_blocks_no_other() {
    let database = Database::new().await;
    let prepared = Prepared::new(&database).await;
    for waits in 0..40 {
        let leads = [lead(10), lead(11), lead(12)];
        let rows = prepared.store.accept_webhook(b"body", &leads, None).await.unwrap();
        let ids: Vec<_> = rows.iter().map(String::as_str).collect();
        crash_after(waits, prepared.store.delete_accepted(&ids)).await;
        // Behind whatever is left of it.
        prepared.store.release(&[]).await.unwrap();
        let left = prepared.store.inbox_counts().await.unwrap().waiting - 1;
        assert!(left == 0 || left == 3, "{left} of 3 after {waits} waits");
        prepared.store.delete_accepted(&ids).await.unwrap();
        assert_eq!(prepared.store.inbox_counts().await.unwrap().waiting, 1);
    }
}
