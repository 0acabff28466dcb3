//! What reconciliation remembers, on either database.

use std::sync::Arc;
use std::time::Duration;

use functions::ports::{FeedWindow, LeadEvent, ReconcileLog as _};
use functions::webhook::{Action, LeadFilter, leads_in_event};
use jiff::Timestamp;

use super::log::StoredLog;
use super::table::{self, Cursor};
use crate::clock::{Clock as _, ManualClock};
use crate::db::Db;
use crate::db::testing::{Database, wrong_with};
use crate::deals::{Dedupe, Rules, Which};
use crate::inbox::Inbox;
use crate::metrics::Metrics;

const START: &str = "2026-11-22T12:00:00Z";
const LONG_AGO: &str = "2026-11-01T00:00:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Event `id` of the feed, which happened to `lead_id`.
fn event(id: &str, lead_id: u64, time: &str) -> LeadEvent {
    let (action, account_id, stage) = (Action::Status, None, None);
    LeadEvent { id: id.to_owned(), action, lead_id, account_id, at: at(time), stage }
}

/// A window that ends then.
fn up_to(time: &str, sweep: bool) -> FeedWindow {
    FeedWindow { from: at(START), to: at(time), sweep }
}

/// Reconciliation that begins to remember at [`START`].
struct Remembered {
    log: StoredLog,
    db: Db,
    clock: Arc<ManualClock>,
    database: Database,
}

impl Remembered {
    async fn new() -> Self {
        let clock = Arc::new(ManualClock::new(at(START)));
        let database = Database::new().await;
        let db = database.open(clock.clone()).await;
        let log = StoredLog::new(db.clone(), Metrics::new(), Dedupe::Lead);
        Self { log, db, clock, database }
    }

    async fn is_news(&self, event: LeadEvent) -> bool {
        !self.log.news(vec![event]).await.unwrap().is_empty()
    }

    async fn cursor(&self) -> Cursor {
        table::cursor(&self.db, self.clock.now()).await.unwrap()
    }

    /// A webhook reports this lead now.
    async fn webhook(&self, lead_id: u64) {
        let data = [("leadId".to_owned(), lead_id.into())].into_iter().collect();
        let leads = leads_in_event(&data, &LeadFilter::default()).unwrap();
        let inbox = Inbox::new(self.db.clone(), Rules::default());
        inbox.store(b"body", &leads, None).await.unwrap();
    }
}

#[tokio::test]
async fn the_cursor_starts_now_and_never_goes_back() {
    let it = Remembered::new().await;
    let start = at(START);
    let first = Cursor { started_at: start, read_to: start, swept_at: start };
    assert_eq!(it.cursor().await, first);

    it.clock.advance(Duration::from_secs(3600));
    it.log.reconciled(&up_to("2026-11-22T12:50:00Z", false), &[]).await.unwrap();
    it.log.reconciled(&up_to("2026-11-22T12:10:00Z", true), &[]).await.unwrap();
    let (read_to, swept_at) = (at("2026-11-22T12:50:00Z"), at("2026-11-22T13:00:00Z"));
    assert_eq!(it.cursor().await, Cursor { started_at: start, read_to, swept_at });
}

#[tokio::test]
async fn an_event_is_news_until_it_is_handled() {
    let it = Remembered::new().await;
    assert!(it.is_news(event("01e", 7, START)).await);
    for _ in 0..2 {
        it.log.dismiss(&[event("01e", 7, START)]).await.unwrap();
        assert!(!it.is_news(event("01e", 7, START)).await);
    }
    assert!(
        it.is_news(event("01f", 7, START)).await,
        "the lead was not sent on, only the event dismissed"
    );
}

#[tokio::test]
async fn a_lead_that_has_a_deal_is_no_news() {
    let it = Remembered::new().await;
    it.webhook(7).await;
    for time in [LONG_AGO, START, "2026-11-29T12:00:00Z"] {
        assert!(
            !it.is_news(event("01f", 7, time)).await,
            "{time}: it has its record or is on its way"
        );
        assert!(it.is_news(event("01f", 8, time)).await, "{time}");
    }
}

#[tokio::test]
async fn a_lead_whose_deal_has_ended_is_news_once_something_happens_to_it_later() {
    let it = Remembered::new().await;
    it.webhook(7).await;
    let inbox = Inbox::new(it.db.clone(), Rules::default());
    inbox.dismiss(&Which::Lead(7), "not wanted").await.unwrap();
    // Five minutes are allowed for clocks that differ.
    assert!(!it.is_news(event("01f", 7, "2026-11-22T12:05:00Z")).await);
    assert!(it.is_news(event("01f", 7, "2026-11-22T12:05:01Z")).await);
}

#[tokio::test]
async fn what_lies_a_week_behind_is_forgotten() {
    let it = Remembered::new().await;
    it.cursor().await;
    it.log.reconciled(&up_to(START, false), &[event("01e", 7, START)]).await.unwrap();
    it.log.reconciled(&up_to("2026-11-29T12:00:00Z", false), &[]).await.unwrap();
    assert!(!it.is_news(event("01e", 6, LONG_AGO)).await);
    it.log.reconciled(&up_to("2026-11-29T12:00:01Z", false), &[]).await.unwrap();
    assert!(it.is_news(event("01e", 6, LONG_AGO)).await);
}

#[tokio::test]
async fn every_change_says_when_its_commit_failed_and_the_next_one_goes_well() {
    let mut wrong = Vec::new();
    for name in ["window", "dismiss", "reconciled", "advance"] {
        let it = Remembered::new().await;
        if name != "window" {
            it.cursor().await;
        }
        let missed = [event("01e", 7, START)];
        let change = async || match name {
            "window" => it.log.window().await.map(drop).map_err(anyhow::Error::msg),
            "dismiss" => it.log.dismiss(&missed).await.map_err(anyhow::Error::msg),
            "reconciled" => {
                let reconciled = it.log.reconciled(&up_to(START, true), &missed).await;
                reconciled.map_err(anyhow::Error::msg)
            }
            _ => table::advance(&it.db, &up_to(START, true), at(START)).await,
        };
        wrong.extend(wrong_with(name, change, &it.database).await);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
