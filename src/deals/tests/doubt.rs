//! What follows when it is unknown whether the ERP has created a record.

use std::time::Duration;

use functions::ports::{Erp as _, Retry, WaitsFor};
use sandbox::ErpFailure;

use super::{Bench, LEAD, created, in_run, lead, run};
use crate::deals::{Progress, Resolution};

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
        let bench = Bench::marked().await.failing(failure);
        let error = bench.fails(&lead(LEAD)).await;
        assert_eq!(error.retry(), Retry::NotBefore(Duration::from_secs(61)), "{error}");
        let text = error.to_string();
        assert!(text.contains("amoCRM lead 45721053"), "{text}");
        assert!(text.contains("looked up, 2026-11-22T10:01:00Z at the earliest"), "{text}");
        // Another webhook of the same lead does not get in between.
        let early = bench.fails(&in_run("01RUN2", lead(LEAD))).await;
        assert!(matches!(early.retry(), Retry::NotBefore(_)), "{early}");
        assert_eq!((bench.erp.count("insert"), bench.erp.count("select")), (1, 0), "not too early");

        bench.a_minute_passes();
        assert_eq!(bench.ledger().create(&lead(LEAD)).await.unwrap(), answer);
        assert_eq!((bench.erp.rows().len(), bench.erp.count("select")), (1, 1));
    }
}

#[tokio::test]
async fn a_record_that_appears_late_is_found_and_not_doubled() {
    let bench = Bench::marked().await.failing(ErpFailure::HangThenInsert);
    bench.fails(&lead(LEAD)).await;
    bench.erp.finish_late_inserts();
    bench.a_minute_passes();
    assert_eq!(bench.ledger().create(&lead(LEAD)).await.unwrap(), created("119", true));
    assert_eq!(bench.erp.rows().len(), 1);
}

#[tokio::test]
async fn after_a_refusal_the_marker_makes_sure_that_there_is_no_record() {
    let bench = Bench::marked().await;
    let message = "a refusal that we know nothing of".to_owned();
    bench.erp.fail_next(1, ErpFailure::Error { code: "500".to_owned(), message });
    let error = bench.fails(&lead(LEAD)).await;
    assert!(error.to_string().contains("Most likely nothing was created"), "{error}");
    bench.erp.add_row([("field_1041", "45721053")]);
    assert_eq!(bench.ledger().create(&lead(LEAD)).await.unwrap(), created("1", true));
    assert_eq!((bench.erp.rows().len(), bench.erp.count("insert")), (1, 1));
}

#[tokio::test]
async fn a_look_up_that_cannot_be_trusted_ends_the_run_visibly() {
    let bench = Bench::marked().await;
    bench.ledger().create(&lead(7)).await.unwrap();
    bench.erp.fail_next(1, ErpFailure::InsertThenBadGateway);
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
    bench.erp.fail_next(1, ErpFailure::InsertThenBadGateway);
    bench.fails(&lead(LEAD)).await;
    bench.a_minute_passes();
    for failure in [ErpFailure::BadGateway, ErpFailure::Empty500, ErpFailure::DatabaseError] {
        bench.erp.break_next(9, failure);
        let error = bench.fails(&lead(LEAD)).await;
        bench.erp.recover();
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
        assert_eq!((other.retry(), bench.erp.count("insert")), (Retry::Never, 1));
        for text in [error.to_string(), other.to_string()] {
            assert!(text.contains("deals resolve --lead 45721053 --absent"), "{text}");
        }
        let unfinished = bench.unfinished().await;
        assert_eq!(
            (unfinished.len(), unfinished[0].lead_id, unfinished[0].progress),
            (1, Some(45_721_053), Progress::InDoubt)
        );
        assert_eq!(unfinished[0].waits_for, Some(WaitsFor::Person));

        assert!(bench.resolve(LEAD, &found).await);
        assert_eq!(bench.ledger().create(&lead(LEAD)).await.unwrap(), answer);
        assert_eq!(bench.erp.rows().len(), 1);
    }
}

#[tokio::test]
async fn a_run_in_doubt_is_not_sent_again_and_a_replay_is_another_deal() {
    let bench = Bench::marked().await;
    bench.erp.fail_next(1, ErpFailure::InsertThenBadGateway);
    for _ in 0..2 {
        let error = bench.fails(&run("A")).await;
        assert_eq!(error.retry(), Retry::Never, "a deal without a lead has no marker");
        assert!(error.to_string().contains("deals resolve --run A --absent"), "{error}");
    }
    assert_eq!(bench.erp.rows().len(), 1);
    bench.ledger().create(&run("B")).await.unwrap();
}
