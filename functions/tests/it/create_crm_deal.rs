use functions::CreateCrmDeal;
use functions::ports::DealKey;
use inngest::testing::{Finished, run};
use serde_json::{Value, json};

use crate::fakes::FakeErp;

async fn with(erp: &FakeErp, data: Value) -> Finished {
    let fields = ["field_1050", "field_1060"].map(str::to_owned).into();
    run(CreateCrmDeal { erp: erp.clone(), fields }).run_id("01RUN").event(data).await
}

#[tokio::test]
async fn a_deal_becomes_a_record_and_the_result_is_the_erps_reply() {
    let erp = FakeErp::default();
    let data = json!({ "dealName": "Окна", "amount": 1500.5, "entityId": 71 });
    let done = with(&erp, data).await;
    assert_eq!(done.output(), Some(&json!({ "status": "success", "data": { "id": "119" } })));
    assert_eq!(done.step_ids(), ["create-erp-task"]);
    let created = erp.created.lock().unwrap();
    let [deal] = created.as_slice() else { unreachable!("one record: {created:?}") };
    assert_eq!((deal.name.as_str(), deal.entity_id), ("Окна", Some(71)));
    assert_eq!(deal.amount.as_ref().map(ToString::to_string).as_deref(), Some("1500.5"));
    assert_eq!(deal.key, DealKey::Run("01RUN".to_owned()));
}

#[tokio::test]
async fn more_fields_become_texts() {
    for (value, text) in [
        (json!("Окна <b>"), Some("Окна <b>")),
        (json!(1500.50), Some("1500.5")),
        (json!(45_721_053), Some("45721053")),
        (json!(true), Some("true")),
        (json!(null), None),
    ] {
        let erp = FakeErp::default();
        let data = json!({ "dealName": "Окна", "fields": { "field_1050": value } });
        assert!(with(&erp, data).await.output().is_some());
        let created = erp.created.lock().unwrap();
        assert_eq!(created[0].fields.get("field_1050").map(String::as_str), text, "{value}");
    }
}

/// Refused before the first step: the run has exactly one call.
#[tokio::test]
async fn unusable_data_ends_the_run_in_its_first_call() {
    for (data, message) in [
        (json!({}), "dealName is required"),
        (json!({ "dealName": "  " }), "dealName is required"),
        (
            json!({ "dealName": "a", "entityId": 0 }),
            "entityId of deal `a` must be a positive integer",
        ),
        (
            json!({ "dealName": "a", "amount": 99_999_999_999_999.99 }),
            "amount of deal `a` is too large to be exact to the kopeck: send less than 70 trillion, or a whole number \
             without exponent",
        ),
        (
            json!({ "dealName": "a", "fields": { "field_1050": "x", "field_1039": "y" } }),
            "fields.field_1039 of deal `a` is not allowed: those of CRM_FIELDS are field_1050, field_1060",
        ),
        (
            json!({ "dealName": "a", "fields": { "field_1050": ["x"] } }),
            "fields.field_1050 of deal `a` must be a text, a number, true or false",
        ),
        (
            json!({ "dealName": "a", "fields": { "field_1060": {} } }),
            "fields.field_1060 of deal `a` must be a text, a number, true or false",
        ),
        (
            json!({ "dealName": "a", "fields": "field_1050" }),
            "the data of event `crm/create-deal` does not fit: at `fields`: invalid type: string \"field_1050\", expected a map",
        ),
        (
            json!({ "dealName": 5 }),
            "the data of event `crm/create-deal` does not fit: at `dealName`: invalid type: integer `5`, expected a string",
        ),
        (
            json!({ "dealName": "a", "amount": "5" }),
            "the data of event `crm/create-deal` does not fit: at `amount`: invalid type: string \"5\", expected a JSON number",
        ),
    ] {
        let erp = FakeErp::default();
        let failed = with(&erp, data).await;
        let error = failed.error().unwrap();
        assert_eq!((error.message.as_str(), error.is_final), (message, true));
        assert_eq!((failed.calls(), erp.names().len()), (1, 0));
    }
}

#[tokio::test]
async fn a_refusal_of_the_erp_ends_the_run() {
    let erp = FakeErp { refuses: Some("Окна"), ..FakeErp::default() };
    let failed = with(&erp, json!({ "dealName": "Окна" })).await;
    assert_eq!(failed.error().unwrap().message, "the ERP refuses the record");
    assert_eq!(failed.step("create-erp-task").unwrap().attempts, 1);
}
