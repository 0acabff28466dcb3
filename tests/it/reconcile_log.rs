//! What reconciliation remembers, on either database.

use std::sync::Arc;

use functions::webhook::AmoCrmWebhook;
use jiff::Timestamp;
use prometei_flow::clock::ManualClock;
use prometei_flow::db::Db;
use prometei_flow::inbox::Inbox;
use prometei_flow::reconcile::ReconcileCursor;
use serde_json::{Map, json};

use crate::database::Database;

const START: &str = "2026-11-22T12:00:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

async fn store() -> (Db, Arc<ManualClock>, Database) {
    let clock = Arc::new(ManualClock::new(at(START)));
    let database = Database::new().await;
    (database.open(clock.clone()).await, clock, database)
}

fn lead(id: u64) -> AmoCrmWebhook {
    let data: Map<_, _> = [("leadId".to_owned(), json!(id))].into_iter().collect();
    functions::webhook::leads_in_event(&data, &Default::default()).unwrap().remove(0)
}

#[tokio::test]
async fn the_cursor_starts_now_and_never_goes_back() {
    let (store, clock, _database) = store().await;
    let start = at(START);
    let first = ReconcileCursor { started_at: start, cursor_at: start, swept_at: start };
    assert_eq!(store.reconcile_cursor().await.unwrap(), first);

    clock.advance(std::time::Duration::from_secs(3600));
    let (later, sooner) = (at("2026-11-22T12:50:00Z"), at("2026-11-22T12:10:00Z"));
    store.advance_reconcile_cursor(later, false).await.unwrap();
    store.advance_reconcile_cursor(sooner, true).await.unwrap();
    let swept_at = at("2026-11-22T13:00:00Z");
    let moved = ReconcileCursor { started_at: start, cursor_at: later, swept_at };
    assert_eq!(store.reconcile_cursor().await.unwrap(), moved);
}

#[tokio::test]
async fn an_event_is_news_once() {
    let (store, _, _database) = store().await;
    let long_ago = at("2026-11-01T00:00:00Z");
    assert!(store.is_news("01e", 7, long_ago).await.unwrap());
    for _ in 0..2 {
        store.settle_events(&[("01e", at(START))], &[]).await.unwrap();
        assert!(!store.is_news("01e", 7, long_ago).await.unwrap());
    }
    assert!(store.is_news("01f", 7, long_ago).await.unwrap(), "of no concern, so nobody was told");
}

#[tokio::test]
async fn whoever_was_told_of_a_lead_needs_no_second_telling() {
    let (store, clock, _database) = store().await;
    let inbox = Inbox::new(store.clone());
    inbox.store(b"body", &[lead(8), lead(7)], None).await.unwrap();
    store.settle_events(&[("01e", at(START))], &[9]).await.unwrap();
    for known in [7, 8, 9] {
        assert!(!store.is_news("01f", known, at(START)).await.unwrap(), "{known}");
        assert!(store.is_news("01f", known, at("2026-11-22T12:00:01Z")).await.unwrap(), "{known}");
    }
    clock.advance(std::time::Duration::from_secs(60));
    inbox.store(b"body", &[lead(7), lead(7)], None).await.unwrap();
    assert!(!store.is_news("01f", 7, at("2026-11-22T12:01:00Z")).await.unwrap());
}

#[tokio::test]
async fn what_lies_a_week_behind_is_forgotten() {
    let (store, _, _database) = store().await;
    store.reconcile_cursor().await.unwrap();
    store.settle_events(&[("01e", at(START))], &[7]).await.unwrap();
    let long_ago = at("2026-11-01T00:00:00Z");
    store.advance_reconcile_cursor(at("2026-11-29T12:00:00Z"), false).await.unwrap();
    assert!(!store.is_news("01e", 7, long_ago).await.unwrap());
    store.advance_reconcile_cursor(at("2026-11-29T12:00:01Z"), false).await.unwrap();
    assert!(store.is_news("01e", 7, long_ago).await.unwrap());
}
