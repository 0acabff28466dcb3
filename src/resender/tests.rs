//! What is due goes, and what waits for something goes when that is there.

use std::sync::Arc;
use std::time::Duration;

use functions::ports::{DealKey, Erp as _, FailedDeal, ResentEvent, WaitsFor};
use serde_json::json;

use super::{Obstacles, Resender};
use crate::clock::ManualClock;
use crate::db::testing::Database;
use crate::deals::{Ledger, Obstacle, Rules, unfinished};
use crate::inbox::Inbox;
use crate::metrics::Metrics;

/// What is away, and how often it was asked for. All else was there all the time, unless it is said to be back.
#[derive(Default)]
struct Away {
    away: Vec<WaitsFor>,
    is_back: bool,
    asked: Vec<WaitsFor>,
}

impl Obstacles for Away {
    async fn look(&mut self, waits_for: WaitsFor) -> Obstacle {
        self.asked.push(waits_for);
        match self.away.contains(&waits_for) {
            true => Obstacle::Away,
            false if self.is_back => Obstacle::JustGone,
            false => Obstacle::Gone,
        }
    }
}

struct Bench {
    resender: Resender<Away>,
    ledger: Ledger,
    clock: Arc<ManualClock>,
    _database: Database,
}

impl Bench {
    async fn new() -> Self {
        let clock = Arc::new(ManualClock::new("2026-11-22T10:00:00Z".parse().unwrap()));
        let database = Database::new().await;
        let db = database.open(clock.clone()).await;
        let ledger = Ledger::new(db.clone(), None, Rules::default(), clock.clone());
        let inbox = Inbox::new(db.clone(), Rules::default());
        let (obstacles, metrics) = (Away::default(), Metrics::new());
        let resender = Resender { db, inbox, obstacles, metrics };
        Self { resender, ledger, clock, _database: database }
    }

    async fn fails(&self, run: &str, waits_for: Option<WaitsFor>) {
        let data = json!({ "dealName": "A", "firstRunId": run });
        let failure = FailedDeal {
            key: DealKey::Run(run.to_owned()),
            run_id: run.to_owned(),
            reason: "it was away".to_owned(),
            waits_for,
            event: Some(ResentEvent { name: "crm/create-deal", data }),
        };
        self.ledger.note_failure(&failure).await.unwrap();
    }

    async fn pass(&mut self) -> usize {
        self.resender.pass().await.unwrap()
    }
}

#[tokio::test]
async fn deals_that_wait_for_something_go_at_once_when_it_is_there() {
    for waits_for in [WaitsFor::Erp, WaitsFor::AmoCrm, WaitsFor::Consent] {
        let mut bench = Bench::new().await;
        for run in ["A", "B", "C"] {
            bench.fails(run, Some(waits_for)).await;
        }
        bench.resender.obstacles.away = vec![waits_for];
        for _ in 0..3 {
            bench.clock.advance(Duration::from_secs(3600));
            assert_eq!(bench.pass().await, 0, "{waits_for:?}");
        }
        bench.resender.obstacles.away.clear();
        assert_eq!(bench.pass().await, 3, "{waits_for:?}");
        assert_eq!(bench.pass().await, 0, "they are on their way");
        assert_eq!(bench.resender.obstacles.asked, [waits_for; 4], "one question for all of them");
    }
}

#[tokio::test]
async fn what_fails_again_although_its_obstacle_seemed_gone_waits_longer_each_time() {
    let mut bench = Bench::new().await;
    bench.fails("A", Some(WaitsFor::Erp)).await;
    assert_eq!(bench.pass().await, 1);
    for minutes in [15, 30, 60, 120, 360, 360] {
        bench.fails("A", Some(WaitsFor::Erp)).await;
        bench.clock.advance(Duration::from_secs(minutes * 60 - 1));
        assert_eq!(bench.pass().await, 0, "{minutes}");
        bench.clock.advance(Duration::from_secs(1));
        assert_eq!(bench.pass().await, 1, "{minutes}");
    }
}

#[tokio::test]
async fn what_has_waited_long_goes_at_once_when_its_obstacle_is_back() {
    let mut bench = Bench::new().await;
    for _ in 0..4 {
        bench.fails("A", Some(WaitsFor::Consent)).await;
        bench.clock.advance(Duration::from_secs(7200));
        bench.pass().await;
    }
    bench.fails("A", Some(WaitsFor::Consent)).await;
    assert_eq!(bench.pass().await, 0, "it seemed gone so often");
    bench.resender.obstacles.is_back = true;
    assert_eq!(bench.pass().await, 1);
}

#[tokio::test]
async fn a_failure_of_unknown_kind_is_tried_again_at_once_and_what_needs_a_person_never() {
    let mut bench = Bench::new().await;
    bench.fails("A", None).await;
    bench.fails("B", Some(WaitsFor::Person)).await;
    assert_eq!(bench.pass().await, 1);
    bench.clock.advance(Duration::from_secs(30 * 24 * 3600));
    assert_eq!(bench.pass().await, 0);
    let deals = unfinished(&bench.resender.db, 9).await.unwrap();
    let waits: Vec<_> = deals.iter().map(|deal| (deal.key.as_str(), deal.waits_for)).collect();
    assert_eq!(waits, [("run:B", Some(WaitsFor::Person)), ("run:A", None)]);
    assert!(bench.resender.obstacles.asked.is_empty(), "no system is asked for a person");
}

#[tokio::test]
async fn more_than_fit_into_one_transaction_all_go() {
    let mut bench = Bench::new().await;
    for run in 0..501 {
        bench.fails(&format!("{run}"), Some(WaitsFor::Erp)).await;
    }
    assert_eq!(bench.pass().await, 501);
}

#[tokio::test]
async fn a_deal_that_has_come_to_need_a_person_is_not_sent_again() {
    let mut bench = Bench::new().await;
    bench.fails("A", Some(WaitsFor::Erp)).await;
    bench.fails("A", Some(WaitsFor::Person)).await;
    assert_eq!(unfinished(&bench.resender.db, 9).await.unwrap()[0].due_at, None, "and says so");
    bench.clock.advance(Duration::from_secs(30 * 24 * 3600));
    assert_eq!(bench.pass().await, 0);
    assert!(bench.resender.obstacles.asked.is_empty());
}
