//! The record that exists already, and how it is looked up.

use sandbox::{ErpFailure, ErpField, FakeErpSettings};

use super::{Bench, impatient, in_time, lead_deal, marked};
use crate::erp::{ErpError, Insertion, MarkerLookup};

#[tokio::test]
async fn a_lead_that_has_its_record_is_refused_a_second_one_and_the_first_is_found() {
    let bench = Bench::unique().await;
    assert_eq!(bench.insert(&lead_deal(45721053)).await, "119");
    assert_eq!(bench.existing(&lead_deal(45721053)).await, Ok("119".to_owned()));
    assert_eq!(bench.erp.rows().len(), 1);
    assert_eq!(
        bench.last_body(),
        r#"{"key":"fake-erp-key","username":"fake-erp-user","password":"fake-erp-password","action":"select","entity_id":70,"select_fields":"1039,1040,1041","filters":{"1041":"45721053"},"limit":2}"#
    );
}

#[tokio::test]
async fn an_existing_record_that_cannot_be_shown_is_an_error_for_a_person() {
    for (change, says) in [
        (
            (|settings| settings.ignores_filters = true) as fn(&mut FakeErpSettings),
            "asked for field 1041 = 45721053, the ERP returned a record with \"7\" there",
        ),
        (|settings| settings.hides_rows = true, "it shows no such record"),
    ] {
        let bench = Bench::unique().await;
        bench.insert(&lead_deal(7)).await;
        bench.insert(&lead_deal(45721053)).await;
        bench.erp.configure(change);
        let error = bench.existing(&lead_deal(45721053)).await.unwrap_err();
        assert!(matches!(error, ErpError::Refused { .. }), "{error:?}");
        assert!(error.to_string().contains(says), "{error}");
        assert_eq!(bench.erp.rows().len(), 2);
    }
}

#[tokio::test]
async fn another_unique_field_does_not_make_a_deal_a_duplicate() {
    let bench = Bench::new().await.with(marked);
    bench.erp.configure(|settings| settings.set_field(ErpField::text("field_1039").unique()));
    bench.insert(&lead_deal(1)).await;
    let error = bench.existing(&lead_deal(2)).await.unwrap_err();
    assert!(matches!(error, ErpError::Refused { .. }), "{error:?}");
    assert!(error.to_string().contains("a unique field has this value already: 1039"), "{error}");
    assert!(error.to_string().contains("Only the marker field may be unique"), "{error}");
}

#[tokio::test]
async fn an_existing_record_is_looked_up_again_when_the_look_up_fails() {
    let bench = Bench::new().await.with(marked);
    let warning = r#"{"status":"success","data":{"id":"","unique_fields_warning":[{"id":"1041","value":"7"}]}}"#;
    bench.erp.fail_next(1, ErpFailure::Answer { status: 200, body: warning.to_owned() });
    bench.erp.fail_next(1, ErpFailure::BadGateway);
    let error = bench.existing(&lead_deal(7)).await.unwrap_err();
    assert!(matches!(error, ErpError::Unavailable { retry_after: None, .. }), "{error:?}");
}

#[tokio::test]
async fn a_look_up_trusts_only_what_the_rows_prove() {
    let bench = Bench::new().await.with(marked);
    let client = bench.client();
    assert_eq!(client.find_by_marker(7, None).await, Ok(MarkerLookup::Absent));
    bench.insert(&lead_deal(7)).await;
    bench.insert(&lead_deal(8)).await;
    assert_eq!(client.find_by_marker(8, None).await, Ok(MarkerLookup::Found("120".to_owned())));

    bench.erp.configure(|settings| settings.ignores_filters = true);
    for lead_id in [8, 9] {
        let found = client.find_by_marker(lead_id, None).await.unwrap();
        assert!(matches!(found, MarkerLookup::Untrusted(_)), "{found:?}");
    }
}

#[tokio::test]
async fn a_record_may_appear_after_a_look_up_did_not_find_it() {
    let bench = Bench::new().await.with(marked).with(impatient);
    bench.erp.fail_next(1, ErpFailure::HangThenInsert);
    let client = bench.client();
    let inserted = client.insert(&lead_deal(7), in_time()).await;
    assert!(matches!(inserted, Ok(Insertion::Unknown { .. })), "so it is not sent again at once");
    assert_eq!(client.find_by_marker(7, None).await, Ok(MarkerLookup::Absent));

    bench.erp.finish_late_inserts();
    assert_eq!(client.find_by_marker(7, None).await, Ok(MarkerLookup::Found("119".to_owned())));
}

#[tokio::test]
async fn a_look_up_without_a_marker_field_is_not_tried() {
    let bench = Bench::new().await;
    let found = bench.client().find_by_marker(7, None).await.unwrap();
    assert!(
        matches!(found, MarkerLookup::Untrusted(reason) if reason.contains("CRM_FIELD_EXTERNAL_ID"))
    );
    assert!(bench.erp.requests().is_empty());
}

#[tokio::test]
async fn a_look_up_without_an_answer_can_be_repeated() {
    let bench = Bench::new().await.with(marked).with(impatient);
    for failure in [ErpFailure::Hang, ErpFailure::BadGateway, ErpFailure::Empty500] {
        bench.erp.break_next(9, failure);
        let failed = bench.client().find_by_marker(7, None).await.unwrap_err();
        bench.erp.recover();
        assert!(matches!(failed, ErpError::Unavailable { .. }), "{failed:?}");
    }
}
