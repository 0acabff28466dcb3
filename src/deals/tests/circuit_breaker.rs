//! An ERP that gives only unclear answers puts few deals in doubt.

use functions::ports::Erp as _;

use super::{Bench, lead};
use crate::deals::circuit_breaker::OPENS_AFTER;
use crate::deals::error::LedgerError;
use crate::erp::ErpError;

#[tokio::test]
async fn an_erp_with_unclear_answers_keeps_deals_waiting_and_not_in_doubt() {
    let mut bench = Bench::new().await;
    // Rukovoditel 3.6 on PHP 8 answers this with an empty page.
    let right = std::mem::replace(&mut bench.settings.password, "not-the-password".into());
    let ledger = bench.ledger();
    for number in 1..=20 {
        let error = ledger.record(&lead(number)).await.unwrap_err();
        let tried = number <= u64::from(OPENS_AFTER);
        assert_eq!(matches!(error, LedgerError::Unresolved { .. }), tried, "{error}");
        let refused =
            matches!(error, LedgerError::NotCreated { error: ErpError::Unavailable { .. }, .. });
        assert_eq!(refused, !tried);
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
        let tried = number <= u64::from(OPENS_AFTER);
        assert_eq!(matches!(error, LedgerError::InDoubt { .. }), tried, "{error}");
    }
    bench.erp.configure(|settings| settings.may_only_view = false);
    bench.a_minute_passes();
    for number in 1..=20 {
        ledger.create(&lead(number)).await.unwrap();
    }
    assert_eq!(bench.erp.rows().len(), 20, "the questions made no records");
}
