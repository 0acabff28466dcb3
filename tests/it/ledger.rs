//! The deal ledger: at most one record for each deal, whatever the ERP answers and whatever crashes.

use std::sync::Arc;
use std::time::Duration;

use functions::ports::Retry;
use functions::ports::{Created, Deal, DealKey, Erp as _};
use prometei_flow::clock::ManualClock;
use prometei_flow::config::Dedupe;
use prometei_flow::db::Db;
use prometei_flow::deals::{DealCounts, Resolution};
use prometei_flow::deals::{Ledger, LedgerError, UNCLEAR_ANSWERS, key};
use prometei_flow::erp::{Body, ErpClient, ErpSettings, Failure};
use prometei_flow::outbound::Outbound;
use sandbox::{ErpFailure, FakeErp, FakeErpSettings};
use serde_json::{Number, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::database::Database;

pub(crate) const LEAD: u64 = 45_721_053;

/// An ERP and the database of a service in front of it.
pub(crate) struct Bench {
    pub(crate) erp: FakeErp,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) store: Db,
    pub(crate) settings: ErpSettings,
    _database: Database,
    _stop: DropGuard,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        let stop = CancellationToken::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        // That no record is doubled is for the ledger to see to: this ERP would take a second one.
        let fake = FakeErpSettings { unique_field: None, ..FakeErpSettings::default() };
        let erp = FakeErp::start(listener, stop.clone(), fake.clone()).unwrap();
        let database = Database::new().await;
        let clock = Arc::new(ManualClock::new("2026-11-22T10:00:00Z".parse().unwrap()));
        let settings = ErpSettings {
            api_url: erp.url().clone(),
            key: fake.key.into(),
            username: fake.username,
            password: fake.password.into(),
            body: Body::Json,
            entity_id: 70,
            field_deal_name: "field_1039".to_owned(),
            field_amount: "field_1040".to_owned(),
            field_external_id: None,
            timeout: Duration::from_millis(300),
        };
        let store = database.open(clock.clone()).await;
        Self { erp, clock, store, settings, _database: database, _stop: stop.drop_guard() }
    }

    pub(crate) async fn marked() -> Self {
        let mut bench = Self::new().await;
        bench.settings.field_external_id = Some("field_1041".to_owned());
        bench
    }

    /// A ledger as after a start: nothing of an earlier one is known but what the database holds.
    pub(crate) fn ledger(&self) -> Ledger {
        self.ledger_of(Dedupe::Lead)
    }

    fn ledger_of(&self, dedupe: Dedupe) -> Ledger {
        let erp = ErpClient::new(self.settings.clone(), Outbound::new(), self.clock.clone());
        Ledger::new(self.store.clone(), erp, dedupe, self.clock.clone())
    }

    async fn fails(&self, deal: &Deal) -> functions::ports::Error {
        self.ledger().create(deal).await.unwrap_err()
    }

    async fn counts(&self) -> (i64, i64, i64) {
        let DealCounts { done, failed, in_doubt } = self.store.deal_counts().await.unwrap();
        (done, failed, in_doubt)
    }

    fn a_minute_passes(&self) {
        self.clock.advance(Duration::from_secs(61));
    }
}

pub(crate) fn lead(lead_id: u64) -> Deal {
    Deal {
        key: DealKey::Lead { account_id: Some(32_452_514), lead_id },
        run_id: "01RUN1".to_owned(),
        name: "Поставка окон".to_owned(),
        amount: Some(Number::from(15_000)),
        entity_id: None,
    }
}

fn in_run(run: &str, deal: Deal) -> Deal {
    Deal { run_id: run.to_owned(), ..deal }
}

fn run(run: &str) -> Deal {
    Deal { key: DealKey::Run(run.to_owned()), ..in_run(run, lead(1)) }
}

fn created(id: &str, duplicate: bool) -> Created {
    Created { reply: json!({"status": "success", "data": {"id": id}}), duplicate }
}

#[tokio::test]
async fn a_lead_has_one_record_for_ever() {
    let bench = Bench::new().await;
    assert_eq!(bench.ledger().create(&lead(LEAD)).await.unwrap(), created("119", false));
    for account_id in [None, Some(32_452_514)] {
        let key = DealKey::Lead { account_id, lead_id: LEAD };
        let again = Deal { key, ..in_run("01RUN2", lead(LEAD)) };
        assert_eq!(bench.ledger().create(&again).await.unwrap(), created("119", true));
    }
    assert_eq!((bench.erp.requests().len(), bench.counts().await), (1, (1, 0, 0)));
}

#[tokio::test]
async fn fifty_runs_of_a_lead_at_once_make_one_record() {
    let bench = Bench::new().await;
    let (one, other) = (bench.ledger(), bench.ledger());
    let mut runs = JoinSet::new();
    for number in 0..50 {
        let ledger = if number % 2 == 0 { one.clone() } else { other.clone() };
        let deal = in_run(&format!("01RUN{number}"), lead(LEAD));
        runs.spawn(async move { ledger.create(&deal).await });
    }
    let ended = runs.join_all().await;
    let first = ended.iter().filter(|run| run.as_ref().is_ok_and(|made| !made.duplicate)).count();
    assert_eq!((first, bench.erp.requests().len(), bench.erp.rows().len()), (1, 1, 1));
    // Of another replica's claim a run knows only that it must come back.
    for error in ended.into_iter().filter_map(Result::err) {
        assert!(matches!(error.retry(), Retry::NotBefore(wait) if wait < Duration::from_secs(60)));
        assert!(error.to_string().contains("lead 45721053) is being sent by another run"));
    }
}

#[tokio::test]
async fn with_one_record_per_event_each_run_has_its_own_and_a_retry_does_not() {
    let bench = Bench::marked().await;
    let ledger = bench.ledger_of(Dedupe::Event);
    for (name, id, duplicate) in
        [("01RUN1", "119", false), ("01RUN2", "120", false), ("01RUN1", "119", true)]
    {
        let deal = in_run(name, lead(LEAD));
        assert_eq!(ledger.create(&deal).await.unwrap(), created(id, duplicate));
    }
    assert_eq!(bench.erp.rows().len(), 2);
}

#[tokio::test]
async fn a_retried_run_finds_its_record_and_a_replay_makes_another() {
    let bench = Bench::new().await;
    for (name, id, duplicate) in [("A", "119", false), ("A", "119", true), ("B", "120", false)] {
        assert_eq!(bench.ledger().create(&run(name)).await.unwrap(), created(id, duplicate));
    }
}

#[tokio::test]
async fn what_the_erp_never_took_can_be_sent_again_at_once() {
    let bench = Bench::new().await;
    let says = |code: &str, message: &str| ErpFailure::Error {
        code: code.to_owned(),
        message: message.to_owned(),
    };
    for failure in [
        ErpFailure::NoDatabase,
        says("500", "API Key mismatch"),
        says("500", "field_1039 not exist in entity 70"),
    ] {
        bench.erp.fail_next(1, failure);
        bench.fails(&lead(LEAD)).await;
        assert_eq!(bench.counts().await, (0, 1, 0), "seen, and not in doubt");
    }
    assert_eq!(bench.ledger().create(&lead(LEAD)).await.unwrap(), created("119", false));
    assert_eq!(bench.counts().await, (1, 0, 0));
}

#[tokio::test]
async fn after_an_unclear_answer_the_record_is_looked_up_after_a_minute() {
    let page = |status| ErpFailure::InsertThenAnswer { status, body: "<h1>Sorry</h1>".to_owned() };
    for (failure, answer) in [
        (page(503), created("119", true)),
        (page(429), created("119", true)),
        (page(504), created("119", true)),
        (page(404), created("119", true)),
        (page(403), created("119", true)),
        (page(302), created("119", true)),
        (ErpFailure::Unavailable { retry_after: Some(5) }, created("119", false)),
        (ErpFailure::InsertThenHang, created("119", true)),
        (ErpFailure::InsertThenBadGateway, created("119", true)),
        (ErpFailure::InsertThenHtml, created("119", true)),
        (ErpFailure::InsertThenEmpty500, created("119", true)),
        (ErpFailure::Hang, created("119", false)),
        (ErpFailure::BadGateway, created("119", false)),
        (ErpFailure::DatabaseError, created("119", false)),
    ] {
        let bench = Bench::marked().await;
        bench.erp.fail_next(1, failure);
        let error = bench.fails(&lead(LEAD)).await;
        assert_eq!(error.retry(), Retry::NotBefore(Duration::from_secs(61)), "{error}");
        let text = error.to_string();
        assert!(text.contains("amoCRM lead 45721053"), "{text}");
        assert!(text.contains("looked up, 2026-11-22T10:01:00Z at the earliest"), "{text}");
        // Another webhook of the same lead does not get in between.
        let early = bench.fails(&in_run("01RUN2", lead(LEAD))).await;
        assert!(matches!(early.retry(), Retry::NotBefore(_)), "{early}");
        assert_eq!(bench.erp.requests().len(), 1, "nothing is asked too early");

        bench.a_minute_passes();
        assert_eq!(bench.ledger().create(&lead(LEAD)).await.unwrap(), answer);
        assert_eq!((bench.erp.rows().len(), bench.erp.count("select")), (1, 1));
    }
}

#[tokio::test]
async fn a_record_that_appears_late_is_found_and_not_doubled() {
    let bench = Bench::marked().await;
    bench.erp.fail_next(1, ErpFailure::HangThenInsert);
    bench.fails(&lead(LEAD)).await;
    bench.erp.finish_late_inserts();
    bench.a_minute_passes();
    assert_eq!(bench.ledger().create(&lead(LEAD)).await.unwrap(), created("119", true));
    assert_eq!(bench.erp.rows().len(), 1);
}

#[tokio::test]
async fn a_look_up_that_cannot_be_trusted_ends_the_run_visibly() {
    let bench = Bench::marked().await;
    bench.ledger().create(&lead(7)).await.unwrap();
    bench.erp.fail_next(1, ErpFailure::InsertThenHang);
    bench.fails(&lead(LEAD)).await;
    bench.a_minute_passes();
    bench.erp.configure(|settings| settings.ignores_filters = true);
    let error = bench.fails(&lead(LEAD)).await;
    assert_eq!((error.retry(), bench.erp.rows().len()), (Retry::Never, 2));
    assert!(error.to_string().contains("deals resolve --lead 45721053"), "{error}");
    // Mended, the next run goes on where this one stopped.
    bench.erp.configure(|settings| settings.ignores_filters = false);
    assert_eq!(bench.ledger().create(&lead(LEAD)).await.unwrap(), created("120", true));
}

#[tokio::test]
async fn a_look_up_that_fails_is_tried_again_and_nothing_is_sent() {
    let bench = Bench::marked().await;
    bench.erp.fail_next(1, ErpFailure::InsertThenHang);
    bench.fails(&lead(LEAD)).await;
    bench.a_minute_passes();
    for failure in [ErpFailure::BadGateway, ErpFailure::Empty500, ErpFailure::DatabaseError] {
        bench.erp.fail_next(1, failure);
        let error = bench.fails(&lead(LEAD)).await;
        assert_eq!(error.retry(), Retry::Again);
        // The record is there: this text must not say that it is not.
        let text = error.to_string();
        assert!(
            text.contains("it is unknown whether") && !text.contains("Nothing was c"),
            "{text}"
        );
    }
    assert_eq!(bench.erp.count("insert"), 1);
    assert_eq!(bench.ledger().create(&lead(LEAD)).await.unwrap(), created("119", true));
}

#[tokio::test]
async fn without_a_marker_nothing_is_guessed_until_a_person_has_looked() {
    let unavailable =
        || ErpFailure::InsertThenAnswer { status: 503, body: "<h1>Sorry</h1>".to_owned() };
    for (failure, found, answer) in [
        (unavailable(), Resolution::Exists("119".to_owned()), created("119", true)),
        (ErpFailure::InsertThenHtml, Resolution::Exists("119".to_owned()), created("119", true)),
        (ErpFailure::DatabaseError, Resolution::Absent, created("119", false)),
    ] {
        let bench = Bench::new().await;
        bench.erp.fail_next(1, failure);
        let error = bench.fails(&lead(LEAD)).await;
        assert_eq!(error.retry(), Retry::Never);
        bench.a_minute_passes();
        let other = bench.fails(&in_run("01RUN2", lead(LEAD))).await;
        assert_eq!((other.retry(), bench.erp.requests().len()), (Retry::Never, 1));
        for text in [error.to_string(), other.to_string()] {
            assert!(text.contains("deals resolve --lead 45721053 --absent"), "{text}");
        }
        let failed = bench.store.failed_deals(10).await.unwrap();
        assert_eq!(
            (failed.len(), failed[0].lead_id, failed[0].in_doubt),
            (1, Some(45_721_053), true)
        );

        assert!(bench.store.resolve_deal(&key(Some(LEAD), None), &found).await.unwrap());
        assert_eq!(bench.ledger().create(&lead(LEAD)).await.unwrap(), answer);
        assert_eq!(bench.erp.rows().len(), 1);
    }
}

#[tokio::test]
async fn a_run_in_doubt_is_not_sent_again_and_says_that_a_replay_is() {
    let bench = Bench::marked().await;
    bench.erp.fail_next(1, ErpFailure::InsertThenHang);
    for _ in 0..2 {
        let error = bench.fails(&run("A")).await;
        assert_eq!(error.retry(), Retry::Never, "a deal without a lead has no marker");
        assert!(error.to_string().ends_with("if it is absent, replay this run"), "{error}");
    }
    assert_eq!(bench.erp.rows().len(), 1);
    bench.ledger().create(&run("B")).await.unwrap();
}

#[tokio::test]
async fn a_claim_that_was_left_behind_is_taken_over_only_after_its_lease() {
    let bench = Bench::marked().await;
    bench.erp.fail_next(1, ErpFailure::InsertThenHang);
    // Killed between the ERP's work and its answer.
    let (ledger, deal) = (bench.ledger(), lead(LEAD));
    let crash = async {
        while bench.erp.rows().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::select! {
        _ = ledger.record(&deal) => panic!("there is no answer"),
        () = crash => {}
    }
    let busy = bench.ledger().record(&in_run("01RUN2", lead(LEAD))).await.unwrap_err();
    assert!(matches!(busy, LedgerError::Busy { .. }), "{busy}");
    bench.clock.advance(Duration::from_secs(20));
    let early = bench.ledger().record(&lead(LEAD)).await.unwrap_err();
    assert!(matches!(early, LedgerError::InDoubt { .. }), "{early}");
    bench.a_minute_passes();
    assert_eq!(bench.ledger().create(&lead(LEAD)).await.unwrap(), created("119", true));
}

#[tokio::test]
async fn what_happens_before_the_erp_is_noted_too_and_forgotten_with_the_record() {
    let bench = Bench::new().await;
    let key = key(Some(LEAD), None);
    bench
        .store
        .note_deal_failure(&key, Some(LEAD), "01RUN1", "amoCRM shows no lead")
        .await
        .unwrap();
    let failed = bench.store.failed_deals(10).await.unwrap();
    assert_eq!((failed[0].reason.as_str(), failed[0].in_doubt), ("amoCRM shows no lead", false));
    assert_eq!(bench.ledger().create(&lead(LEAD)).await.unwrap(), created("119", false));
    bench.store.note_deal_failure(&key, Some(LEAD), "01RUN1", "too late").await.unwrap();
    assert_eq!(bench.counts().await, (1, 0, 0), "a deal with a record has not failed");
}

#[tokio::test]
async fn an_erp_that_answers_nonsense_keeps_deals_waiting_and_not_in_doubt() {
    let mut bench = Bench::new().await;
    // Rukovoditel 3.6 on PHP 8 answers this with an empty page.
    let right = std::mem::replace(&mut bench.settings.password, "not-the-password".into());
    let ledger = bench.ledger();
    for number in 1..=20 {
        let error = ledger.record(&lead(number)).await.unwrap_err();
        let tried = number <= u64::from(UNCLEAR_ANSWERS);
        assert_eq!(matches!(error, LedgerError::Unresolved { .. }), tried, "{error}");
        assert_eq!(matches!(error.failure(), Some(Failure::Unavailable { .. })), !tried);
    }
    assert_eq!(bench.counts().await, (0, 20, 5));

    bench.settings.password = right;
    let ledger = bench.ledger();
    for number in 6..=20 {
        ledger.create(&lead(number)).await.unwrap();
    }
    assert_eq!(bench.erp.rows().len(), 15);
}

#[tokio::test]
async fn a_missing_right_to_create_keeps_deals_waiting_though_looking_is_allowed() {
    let bench = Bench::marked().await;
    bench.erp.configure(|settings| settings.may_only_view = true);
    let ledger = bench.ledger();
    for number in 1..=20 {
        let error = ledger.record(&lead(number)).await.unwrap_err();
        let tried = number <= u64::from(UNCLEAR_ANSWERS);
        assert_eq!(matches!(error, LedgerError::InDoubt { .. }), tried, "{error}");
    }
    bench.erp.configure(|settings| settings.may_only_view = false);
    bench.a_minute_passes();
    for number in 1..=20 {
        ledger.create(&lead(number)).await.unwrap();
    }
    assert_eq!(bench.erp.rows().len(), 20, "the questions made no records");
}
