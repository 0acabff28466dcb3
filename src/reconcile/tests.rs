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

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Event `id` of the feed, which happened to `lead_id`.
fn event(id: &str, lead_id: u64, time: &str) -> LeadEvent {
    let (action, account_id, stage) = (Action::Status, None, None);
    LeadEvent { id: id.to_owned(), action, lead_id, account_id, at: at(time), stage }
}

/// A window that ends then, read by a run of that moment.
fn up_to(time: &str, sweep: bool) -> FeedWindow {
    FeedWindow { from: at(START), to: at(time), page: 1, sweep, begun: at(time) }
}

/// Reconciliation that begins to remember at [`START`].
struct Remembered {
    log: StoredLog,
    db: Db,
    inbox: Inbox,
    clock: Arc<ManualClock>,
    database: Database,
}

impl Remembered {
    async fn new() -> Self {
        Self::with(Dedupe::Lead).await
    }

    async fn with(dedupe: Dedupe) -> Self {
        let clock = Arc::new(ManualClock::new(at(START)));
        let database = Database::new().await;
        let db = database.open(clock.clone()).await;
        let inbox = Inbox::new(db.clone(), Rules { dedupe, ..Rules::default() });
        let log = StoredLog::new(db.clone(), inbox.clone(), Metrics::new(), dedupe);
        let it = Self { log, db, inbox, clock, database };
        it.begin().await;
        it
    }

    async fn begin(&self) -> Option<FeedWindow> {
        self.log.begin().await.unwrap()
    }

    /// A run that reads every window to its end. Returns their ends, and whether they were read before.
    async fn run(&self) -> Vec<(String, String, bool)> {
        let (mut windows, mut next) = (Vec::new(), self.begin().await);
        while let Some(window) = next {
            windows.push((window.from.to_string(), window.to.to_string(), window.sweep));
            assert!(windows.len() < 50, "a run comes to an end");
            next = self.log.advance(&window).await.unwrap();
        }
        windows
    }

    fn passes(&self, minutes: u64) {
        self.clock.advance(Duration::from_secs(60 * minutes));
    }

    async fn is_news(&self, event: LeadEvent) -> bool {
        !self.log.news(vec![event]).await.unwrap().is_empty()
    }

    async fn cursor(&self) -> Cursor {
        table::cursor(&self.db, self.clock.now(), Timestamp::MAX).await.unwrap()
    }

    /// The leads in the inbox.
    async fn stored(&self) -> Vec<i64> {
        let query = sqlx::query_as("SELECT lead_id FROM inbox ORDER BY id");
        let rows: Vec<(i64,)> = self.db.fetch(query).await.unwrap();
        rows.into_iter().map(|(lead,)| lead).collect()
    }

    /// A webhook reports this lead now.
    async fn webhook(&self, lead_id: u64) {
        let data = [("leadId".to_owned(), lead_id.into())].into_iter().collect();
        let leads = leads_in_event(&data, &LeadFilter::default()).unwrap();
        self.inbox.store(b"body", &leads, None).await.unwrap();
    }
}

fn window(from: &str, to: &str, sweep: bool) -> (String, String, bool) {
    (format!("2026-11-{from}Z"), format!("2026-11-{to}Z"), sweep)
}

#[tokio::test]
async fn a_run_begins_ten_minutes_before_the_last_one_began() {
    let it = Remembered::new().await;
    it.passes(60);
    assert_eq!(it.run().await, [window("22T12:00:00", "22T12:58:00", false)]);
    it.passes(5);
    assert_eq!(it.run().await, [window("22T12:50:00", "22T13:03:00", false)]);
    it.passes(0);
    assert_eq!(it.run().await, [window("22T12:55:00", "22T13:03:00", false)]);
}

#[tokio::test]
async fn where_all_of_a_webhooks_attempts_are_waited_for_nothing_is_read_twice() {
    let it = Remembered::with(Dedupe::Event).await;
    it.passes(120);
    assert_eq!(it.run().await, [window("22T12:00:00", "22T12:20:00", false)]);
    assert_eq!(it.run().await, []);
    it.passes(5);
    assert_eq!(it.run().await, [window("22T12:20:01", "22T12:25:00", false)]);
}

#[tokio::test]
async fn a_long_absence_is_caught_up_by_one_run_which_then_looks_back() {
    let it = Remembered::new().await;
    it.passes(14 * 60);
    it.run().await;
    it.passes(14 * 60);
    let expected = [
        window("23T01:50:00", "23T07:50:00", false),
        window("23T07:50:01", "23T13:50:01", false),
        window("23T13:50:02", "23T15:58:00", false),
        window("22T12:00:00", "22T18:00:00", true),
        window("22T18:00:01", "23T00:00:01", true),
        window("23T00:00:02", "23T06:00:02", true),
        window("23T06:00:03", "23T12:00:03", true),
        window("23T12:00:04", "23T15:58:00", true),
    ];
    assert_eq!(it.run().await, expected);
    it.passes(5);
    assert_eq!(it.run().await.len(), 1, "the look back is done for today");
}

#[tokio::test]
async fn a_run_that_stops_half_way_is_gone_on_with() {
    let it = Remembered::new().await;
    it.passes(60);
    let mut half_read = it.begin().await.unwrap();
    half_read.page = 7;
    it.log.leave_off(&half_read).await.unwrap();
    it.passes(5);
    assert_eq!(it.begin().await.as_ref(), Some(&half_read));
    assert_eq!(it.log.advance(&half_read).await.unwrap(), None, "the rest is for the next run");
    // What appeared while it was read may have been missed.
    assert_eq!(it.run().await, [window("22T12:50:00", "22T13:03:00", false)]);
}

#[tokio::test]
async fn a_look_back_that_was_cut_short_is_gone_on_with() {
    let it = Remembered::new().await;
    it.passes(25 * 60);
    let mut next = it.begin().await;
    while let Some(window) = next.filter(|window| !window.sweep) {
        next = it.log.advance(&window).await.unwrap();
    }
    it.passes(5);
    it.log.advance(&up_to("2026-11-23T06:00:00Z", true)).await.unwrap();
    let expected = [
        window("23T12:50:00", "23T13:03:00", false),
        window("23T06:00:01", "23T12:00:01", true),
        window("23T12:00:02", "23T13:03:00", true),
    ];
    assert_eq!(it.run().await, expected);
}

#[tokio::test]
async fn a_clock_that_ran_ahead_does_not_leave_the_cursor_in_the_future() {
    let it = Remembered::new().await;
    it.passes(60);
    it.run().await;
    it.passes(4 * 24 * 60);
    it.run().await;
    it.clock.correct(at("2026-11-22T13:05:00Z").duration_since(it.clock.now()));
    let windows = it.run().await;
    assert_eq!(windows[0], window("22T12:55:00", "22T13:05:00", false));
    assert_eq!(
        windows[1],
        window("22T12:00:00", "22T13:05:00", true),
        "and two days are looked at again"
    );
    it.passes(5);
    assert_eq!(it.run().await, [window("22T12:55:00", "22T13:08:00", false)]);
}

#[tokio::test]
async fn the_cursor_never_goes_back() {
    let it = Remembered::new().await;
    it.log.advance(&up_to("2026-11-22T12:50:00Z", false)).await.unwrap();
    it.log.advance(&up_to("2026-11-22T12:10:00Z", false)).await.unwrap();
    let cursor = it.cursor().await;
    assert_eq!(
        (cursor.read_to, cursor.read_at),
        (at("2026-11-22T12:50:00Z"), at("2026-11-22T12:50:00Z"))
    );
}

#[tokio::test]
async fn an_event_is_news_until_it_is_settled() {
    let it = Remembered::new().await;
    assert!(it.is_news(event("01e", 7, START)).await);
    for _ in 0..2 {
        it.log.dismiss(&[event("01e", 7, START)]).await.unwrap();
        assert!(!it.is_news(event("01e", 7, START)).await);
    }
    assert!(
        it.is_news(event("01f", 7, START)).await,
        "the lead was not handed on, only the event dismissed"
    );
}

#[tokio::test]
async fn a_lead_is_handed_on_once_whatever_is_repeated() {
    let it = Remembered::new().await;
    let both = [event("01e", 7, START), event("01f", 8, START), event("01g", 7, START)];
    for _ in 0..2 {
        it.log.report(&both).await.unwrap();
        assert_eq!(it.stored().await, [7, 8]);
    }
    // A crash came between the storing and the settling.
    it.db.commit(sqlx::query("DELETE FROM reconcile_events")).await.unwrap();
    it.log.report(&both).await.unwrap();
    assert_eq!(it.stored().await, [7, 8]);
    it.webhook(9).await;
    it.log.report(&[event("01h", 9, START)]).await.unwrap();
    assert_eq!(it.stored().await, [7, 8, 9], "a webhook was faster");
}

#[tokio::test]
async fn where_each_webhook_makes_a_record_a_repeat_makes_none() {
    let it = Remembered::with(Dedupe::Event).await;
    let later = "2026-11-22T12:30:00Z";
    it.log.report(&[event("01e", 7, START)]).await.unwrap();
    it.db.commit(sqlx::query("DELETE FROM reconcile_events")).await.unwrap();
    it.log.report(&[event("01e", 7, START)]).await.unwrap();
    assert_eq!(it.stored().await, [7]);
    it.passes(30);
    it.log.report(&[event("01f", 7, later)]).await.unwrap();
    assert_eq!(it.stored().await, [7, 7], "it came again");
}

#[tokio::test]
async fn where_each_webhook_makes_a_record_one_that_comes_after_reconciliation_makes_none() {
    let it = Remembered::with(Dedupe::Event).await;
    it.passes(100);
    it.log.report(&[event("01e", 7, START)]).await.unwrap();
    it.passes(80);
    it.webhook(7).await;
    assert_eq!(it.stored().await, [7], "it tells of the move that was found");
    it.webhook(7).await;
    assert_eq!(it.stored().await, [7, 7], "it tells of another one");
    it.webhook(8).await;
    assert_eq!(it.stored().await, [7, 7, 8]);
}

#[tokio::test]
async fn a_webhook_that_is_taken_for_the_lost_one_of_an_earlier_move_is_made_up_for() {
    let it = Remembered::with(Dedupe::Event).await;
    it.passes(100);
    it.log.report(&[event("01e", 7, START)]).await.unwrap();
    it.passes(3);
    it.webhook(7).await;
    it.passes(100);
    it.log.report(&[event("01f", 7, "2026-11-22T13:43:00Z")]).await.unwrap();
    assert_eq!(it.stored().await, [7, 7], "two moves are two records");
}

#[tokio::test]
async fn after_half_a_day_no_webhook_is_taken_for_one_that_was_lost() {
    let it = Remembered::with(Dedupe::Event).await;
    it.passes(100);
    it.log.report(&[event("01e", 7, START)]).await.unwrap();
    it.passes(12 * 60);
    it.webhook(7).await;
    assert_eq!(it.stored().await, [7, 7]);
}

#[tokio::test]
async fn a_lead_that_has_a_deal_is_no_news() {
    let it = Remembered::new().await;
    it.webhook(7).await;
    for time in ["2026-11-01T00:00:00Z", START, "2026-11-29T12:00:00Z"] {
        assert!(!it.is_news(event("01f", 7, time)).await, "{time}: it is on its way");
        assert!(it.is_news(event("01f", 8, time)).await, "{time}");
    }
}

#[tokio::test]
async fn a_lead_whose_deal_has_ended_is_news_once_something_happens_to_it_later() {
    let it = Remembered::new().await;
    it.webhook(7).await;
    it.inbox.dismiss(&Which::Lead(7), "not wanted").await.unwrap();
    // Five minutes are allowed for clocks that differ.
    assert!(!it.is_news(event("01f", 7, "2026-11-22T12:05:00Z")).await);
    assert!(it.is_news(event("01f", 7, "2026-11-22T12:05:01Z")).await);
}

#[tokio::test]
async fn what_lies_a_week_behind_is_forgotten_by_amocrms_clock() {
    let it = Remembered::new().await;
    it.log
        .dismiss(&[event("01e", 7, START), event("01f", 8, "2026-11-29T12:00:00Z")])
        .await
        .unwrap();
    // However far ahead our own clock is.
    it.log.advance(&up_to("2027-11-29T12:00:00Z", false)).await.unwrap();
    assert!(!it.is_news(event("01e", 7, START)).await);
    it.log.dismiss(&[event("01g", 9, "2026-11-29T12:00:01Z")]).await.unwrap();
    it.log.advance(&up_to("2027-11-29T12:00:00Z", false)).await.unwrap();
    assert!(it.is_news(event("01e", 7, START)).await);
    assert!(!it.is_news(event("01f", 8, "2026-11-29T12:00:00Z")).await);
}

#[tokio::test]
async fn every_change_says_when_its_commit_failed_and_the_next_one_goes_well() {
    let mut wrong = Vec::new();
    for name in ["begin", "dismiss", "report", "advance", "leave off"] {
        let it = Remembered::new().await;
        if name == "begin" {
            it.db.commit(sqlx::query("DELETE FROM reconcile_cursor")).await.unwrap();
        }
        let missed = [event("01e", 7, START)];
        let window = up_to(START, true);
        let change = async || {
            let changed = match name {
                "begin" => it.log.begin().await.map(drop),
                "dismiss" => it.log.dismiss(&missed).await,
                "report" => it.log.report(&missed).await,
                "advance" => it.log.advance(&window).await.map(drop),
                _ => it.log.leave_off(&window).await,
            };
            changed.map_err(anyhow::Error::msg)
        };
        wrong.extend(wrong_with(name, change, &it.database).await);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
