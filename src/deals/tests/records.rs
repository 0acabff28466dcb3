//! At most one record for each deal.

use std::time::Duration;

use functions::ports::{Deal, DealKey, Erp as _, Retry};
use sandbox::{ErpFailure, FakeErpSettings, crash_after};
use tokio::task::JoinSet;

use super::{Bench, LEAD, created, failure, in_run, lead, run};
use crate::deals::{Dedupe, Ledger, Progress, Rules};
use crate::erp::tests::marked;

#[tokio::test]
async fn a_lead_has_one_record_forever() {
    let bench = Bench::new().await;
    assert_eq!(bench.ledger().create(&lead(LEAD)).await.unwrap(), created("119", false));
    for account_id in [None, Some(32_452_514)] {
        let DealKey::Lead { delivery_id, .. } = lead(LEAD).key else { unreachable!() };
        let key = DealKey::Lead { account_id, lead_id: LEAD, delivery_id };
        let again = Deal { key, ..in_run("01RUN2", lead(LEAD)) };
        assert_eq!(bench.ledger().create(&again).await.unwrap(), created("119", true));
    }
    assert_eq!((bench.erp.count("insert"), bench.counts().await), (1, (1, 0, 0)));
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
    assert_eq!((first, bench.erp.count("insert"), bench.erp.rows().len()), (1, 1, 1));
    // Of another replica's claim a run knows only that it must come back.
    for error in ended.into_iter().filter_map(Result::err) {
        assert!(matches!(error.retry(), Retry::NotBefore(wait) if wait < Duration::from_secs(60)));
        assert!(error.to_string().contains("lead 45721053) is being sent by another run"));
    }
}

#[tokio::test]
async fn runs_of_a_lead_in_one_process_wait_for_the_first_and_are_given_its_record() {
    let bench = Bench::new().await;
    let (ledger, mut runs) = (bench.ledger(), JoinSet::new());
    for number in 0..10 {
        let (ledger, deal) = (ledger.clone(), in_run(&format!("01RUN{number}"), lead(LEAD)));
        runs.spawn(async move { ledger.create(&deal).await.unwrap().duplicate });
    }
    let duplicates = runs.join_all().await.into_iter().filter(|duplicate| *duplicate).count();
    assert_eq!((duplicates, bench.erp.count("insert")), (9, 1));
}

#[tokio::test]
async fn with_one_record_per_event_each_event_has_its_own_and_one_that_is_sent_again_does_not() {
    let bench = Bench::marked().await;
    let ledger = bench.ledger_of(Dedupe::Event);
    for (name, id, duplicate) in
        [("01EVENT1", "119", false), ("01EVENT2", "120", false), ("01EVENT1", "119", true)]
    {
        let delivery_id = name.to_owned();
        let key = DealKey::Lead { account_id: None, lead_id: LEAD, delivery_id };
        let deal = Deal { key, ..in_run(id, lead(LEAD)) };
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
async fn what_happens_before_the_erp_is_noted_too_and_forgotten_with_the_record() {
    let bench = Bench::new().await;
    let ledger = bench.ledger();
    ledger.note_failure(&failure(&lead(LEAD), "amoCRM shows no lead", None)).await.unwrap();
    let failed = bench.unfinished().await.remove(0);
    assert_eq!(
        (failed.reason.as_deref(), failed.progress),
        (Some("amoCRM shows no lead"), Progress::Failed)
    );
    assert_eq!(bench.ledger().create(&lead(LEAD)).await.unwrap(), created("119", false));
    ledger.note_failure(&failure(&lead(LEAD), "too late", None)).await.unwrap();
    assert_eq!(bench.counts().await, (1, 0, 0), "a deal with a record has not failed");
}

#[tokio::test]
async fn a_record_that_the_erp_keeps_unique_is_a_duplicate_not_an_error() {
    let bench = Bench::of(FakeErpSettings::default().with_unique_marker()).await.with(marked);
    bench.erp.add_row([("field_1041", "45721053")]);
    for _ in 0..2 {
        assert_eq!(bench.ledger().create(&lead(LEAD)).await.unwrap(), created("1", true));
    }
    assert_eq!((bench.erp.rows().len(), bench.erp.count("insert")), (1, 1));
}

#[tokio::test]
async fn a_call_of_the_erp_outlives_the_call_of_inngest() {
    let bench = Bench::new().await;
    let ledger = bench.ledger();
    assert_eq!(crash_after(0, ledger.create(&lead(LEAD))).await.map(drop), None);
    ledger.drain().await;
    assert_eq!((bench.erp.rows().len(), bench.counts().await), (1, (1, 0, 0)));
}

#[tokio::test]
async fn without_an_erp_a_deal_fails_visibly_and_goes_once_there_is_one() {
    let bench = Bench::new().await;
    let ledger = Ledger::new(bench.db.clone(), None, Rules::default(), bench.clock.clone());
    let error = ledger.create(&lead(LEAD)).await.unwrap_err();
    assert_eq!(error.retry(), Retry::Never);
    let text = error.to_string();
    assert!(text.contains("lead 45721053") && text.contains("set CRM_API_URL"), "{text}");
    // What Inngest does when the run has ended.
    ledger.note_failure(&failure(&lead(LEAD), &text, error.waits_for())).await.unwrap();
    assert_eq!(bench.counts().await, (0, 1, 0));
    assert_eq!(bench.ledger().create(&lead(LEAD)).await.unwrap(), created("119", false));
}
