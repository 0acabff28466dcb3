//! An ERP that would not act on an insert is sent none: no deal of it comes into doubt.

use std::time::Duration;

use functions::ports::{Deal, Erp as _, WaitsFor};
use sandbox::{ErpFailure, FakeErpSettings};

use super::{Bench, LEAD, created, lead, run};
use crate::deals::circuit_breaker::HOLDS;
use crate::erp::ErpSettings;

/// A deal of each kind waits, and goes when the cause is gone.
async fn waits_and_goes(bench: &mut Bench, mend: impl FnOnce(&mut Bench)) {
    let ledger = bench.ledger();
    for number in 1..=20 {
        let error = ledger.record(&lead(number)).await.unwrap_err();
        assert_eq!(error.waits_for(), Some(WaitsFor::Erp), "{error}");
        assert!(error.to_string().contains("Nothing was created"), "{error}");
    }
    assert_eq!((bench.counts().await, bench.erp.count("insert")), ((0, 20, 0), 0));
    mend(bench);
    let ledger = bench.ledger();
    for number in 1..=20 {
        assert!(!ledger.create(&lead(number)).await.unwrap().duplicate);
    }
    assert_eq!(bench.erp.rows().len(), 20, "questions make no records");
}

#[tokio::test]
async fn an_erp_that_would_not_act_on_an_insert_puts_no_deal_in_doubt() {
    // PHP 8 answers all of these with an empty 500.
    type Spoil = fn(&mut FakeErpSettings);
    let spoils: [Spoil; 4] = [
        |erp| erp.password = "another".to_owned(),
        |erp| erp.is_active = false,
        |erp| erp.address_is_allowed = false,
        |erp| erp.may_create = false,
    ];
    for spoil in spoils {
        let mut bench = Bench::new().await;
        bench.erp.configure(spoil);
        waits_and_goes(&mut bench, |bench| {
            bench.erp.configure(|erp| *erp = FakeErpSettings::default());
        })
        .await;
    }
}

#[tokio::test]
async fn a_wrong_address_puts_no_deal_in_doubt() {
    let wrong: [fn(&mut ErpSettings); 2] = [
        |settings| settings.api_url.set_path("/api/rest"),
        |settings| settings.api_url.set_path("/"),
    ];
    for spoil in wrong {
        let mut bench = Bench::new().await;
        let right = bench.settings.clone();
        spoil(&mut bench.settings);
        waits_and_goes(&mut bench, |bench| bench.settings = right).await;
    }
}

#[tokio::test]
async fn after_an_unclear_answer_nothing_is_sent_before_the_erp_would_act_on_it() {
    let bench = Bench::new().await;
    let ledger = bench.ledger();
    bench.erp.fail_next(1, ErpFailure::Empty500);
    ledger.record(&lead(1)).await.unwrap_err();
    bench.erp.configure(|erp| erp.may_create = false);
    for number in 2..=9 {
        ledger.record(&lead(number)).await.unwrap_err();
    }
    // What came of the first insert stays unknown: that the right is missing now says nothing of then.
    assert_eq!((bench.counts().await, bench.erp.count("insert")), ((0, 9, 1), 1));
}

#[tokio::test]
async fn the_word_of_the_erp_counts_for_some_seconds() {
    let bench = Bench::new().await;
    let ledger = bench.ledger();
    for number in 1..=3 {
        ledger.create(&lead(number)).await.unwrap();
    }
    assert_eq!((bench.erp.count("question"), bench.erp.count("insert")), (1, 3));
    bench.clock.advance(HOLDS - Duration::from_millis(1));
    ledger.create(&lead(4)).await.unwrap();
    bench.clock.advance(HOLDS - Duration::from_millis(1));
    ledger.create(&lead(5)).await.unwrap();
    assert_eq!(bench.erp.count("question"), 1, "each record shows that it takes records");

    bench.clock.advance(HOLDS);
    bench.erp.configure(|erp| erp.password = "changed".to_owned());
    ledger.record(&lead(6)).await.unwrap_err();
    assert_eq!((bench.counts().await, bench.erp.count("insert")), ((5, 1, 0), 5));
}

#[tokio::test]
async fn each_entity_is_asked_for_itself() {
    let bench = Bench::new().await;
    let ledger = bench.ledger();
    ledger.create(&lead(1)).await.unwrap();
    bench.erp.configure(|erp| (erp.entity_id, erp.may_create) = (71, false));
    let elsewhere = Deal { entity_id: Some(71), ..run("A") };
    let error = ledger.record(&elsewhere).await.unwrap_err();
    assert!(error.to_string().contains("the right Create"), "{error}");
    assert_eq!((bench.counts().await, bench.erp.count("insert")), ((1, 1, 0), 1));
}

#[tokio::test]
async fn a_process_that_dies_while_it_asks_leaves_no_doubt() {
    let bench = Bench::new().await;
    let mut asking = bench.erp.hold_next();
    let ledger = bench.ledger();
    let deal = lead(LEAD);
    tokio::select! {
        _ = ledger.record(&deal) => panic!("the question is not answered"),
        () = asking.arrived() => {}
    }
    drop(asking);
    bench.clock.advance(Duration::from_secs(91));
    assert_eq!(bench.counts().await, (0, 0, 0), "not in doubt");
    assert_eq!(bench.ledger().create(&deal).await.unwrap(), created("119", false));
}
