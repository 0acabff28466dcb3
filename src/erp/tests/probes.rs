//! Questions to the ERP that create nothing.

use std::time::Duration;

use sandbox::ErpFailure;

use super::Bench;
use crate::erp::{Body, ErpError};

#[tokio::test]
async fn a_probe_shows_whether_the_erp_grants_access() {
    let bench = Bench::new().await;
    assert_eq!(bench.client().probe().await, Ok(()));
    let bench = bench.with(|settings| settings.key = "not-the-key".into());
    let failed = bench.client().probe().await.unwrap_err();
    assert_eq!(failed, ErpError::NoAccess { message: "API Key mismatch".to_owned() });
}

#[tokio::test]
async fn the_right_to_create_is_asked_for_without_creating() {
    for body in [Body::Json, Body::Form] {
        let bench = Bench::new().await.with(|settings| settings.body = body);
        assert_eq!(bench.client().may_create().await, Ok(()));
        assert!(bench.erp.rows().is_empty());
        bench.erp.configure(|settings| settings.may_only_view = true);
        let failed = bench.client().may_create().await.unwrap_err();
        assert!(matches!(failed, ErpError::Unavailable { .. }), "an empty 500: {failed:?}");
        bench.erp.configure(|settings| settings.display_errors = true);
        let failed = bench.client().may_create().await.unwrap_err();
        assert!(matches!(failed, ErpError::NoAccess { .. }), "{failed:?}");
        assert_eq!(bench.client().probe().await, Ok(()), "to look is allowed");
    }
}

#[tokio::test]
async fn a_question_that_is_not_answered_is_asked_again_when_the_erp_says() {
    let bench = Bench::new().await;
    bench.erp.fail_next(1, ErpFailure::Unavailable { retry_after: Some(90) });
    let failed = bench.client().probe().await.unwrap_err();
    let wait = Some(Duration::from_secs(90));
    assert!(
        matches!(failed, ErpError::Unavailable { retry_after, .. } if retry_after == wait),
        "{failed:?}"
    );
}
