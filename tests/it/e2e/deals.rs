//! `crm/create-deal`: another app wants a deal in the ERP.

use sandbox::ErpFailure;
use serde_json::json;

use crate::world::{Begin as _, given};

#[tokio::test]
async fn a_deal_becomes_one_request_and_its_reply_the_result() {
    let world = given().end_to_end().await;
    let deal = json!({ "dealName": "Новая сделка", "amount": 15000, "entityId": 70 });
    let run = world.run_of("crm/create-deal", deal).await;
    assert_eq!(run.status, "Completed");
    assert_eq!(run.output, json!({ "status": "success", "data": { "id": "119" } }));
    let requests = world.erp.requests_of("insert");
    assert_eq!((requests.len(), world.erp.count("question")), (1, 1));
    assert_eq!(requests[0].header("content-type"), "application/json");
    assert_eq!(
        requests[0].text(),
        r#"{"key":"fake-erp-key","username":"fake-erp-user","password":"fake-erp-password","action":"insert","entity_id":70,"items":{"field_1039":"Новая сделка","field_1040":15000}}"#
    );
    world.end().await;
}

#[tokio::test]
async fn without_amount_and_entity_the_configured_entity_gets_the_name_alone() {
    let world = given().end_to_end().await;
    for data in [json!({ "dealName": "A" }), json!({ "dealName": "B", "amount": 0 })] {
        assert_eq!(world.run_of("crm/create-deal", data).await.status, "Completed");
    }
    for (request, name) in world.erp.requests_of("insert").iter().zip(["A", "B"]) {
        let body: serde_json::Value = serde_json::from_str(&request.text()).unwrap();
        assert_eq!(
            (&body["entity_id"], &body["items"]),
            (&json!(70), &json!({ "field_1039": name }))
        );
    }
    world.end().await;
}

#[tokio::test]
async fn an_invalid_deal_fails_after_one_call() {
    let mut world = given().end_to_end().await;
    for (data, message) in [
        (json!({ "amount": 15000 }), "dealName is required"),
        (json!({ "dealName": " " }), "dealName is required"),
        (json!({ "dealName": 5 }), "at `dealName`: invalid type: integer `5`, expected a string"),
        (json!({ "dealName": "A", "amount": "5" }), "at `amount`"),
        (json!({ "dealName": "A", "entityId": 7.5 }), "at `entityId`"),
        (json!({ "dealName": "A", "entityId": -1 }), "at `entityId`"),
    ] {
        world.calls();
        let run = world.run_of("crm/create-deal", data).await;
        assert_eq!(run.status, "Failed");
        let said = run.output["message"].as_str().unwrap();
        assert!(said.contains(message), "{said}");
        if let Some(calls) = world.calls() {
            assert_eq!(calls, 1);
        }
    }
    assert!(world.erp.requests().is_empty());
    world.end().await;
}

#[tokio::test]
async fn an_erp_that_is_down_twice_gets_the_deal_the_third_time() {
    let world = given().end_to_end().await;
    world.erp.fail_next(2, ErpFailure::NoDatabase);
    let run = world.run_of("crm/create-deal", json!({ "dealName": "A" })).await;
    assert_eq!(run.status, "Completed");
    assert_eq!((world.erp.count("insert"), world.erp.rows().len()), (3, 1));
    world.end().await;
}

#[tokio::test]
async fn an_outcome_in_doubt_is_not_tried_again() {
    let world = given().end_to_end().await;
    for failure in [
        ErpFailure::InsertThenAnswer { status: 503, body: "<h1>Service Unavailable</h1>".into() },
        ErpFailure::InsertThenBadGateway,
        ErpFailure::InsertThenHtml,
        ErpFailure::InsertThenEmpty500,
    ] {
        let before = world.erp.count("insert");
        world.erp.fail_next(1, failure);
        let run = world.run_of("crm/create-deal", json!({ "dealName": "Сделка" })).await;
        assert_eq!(run.status, "Failed");
        let message = run.output["message"].as_str().unwrap();
        assert!(message.contains("Сделка") && message.contains("may"), "{message}");
        assert_eq!(world.erp.count("insert"), before + 1);
    }
    world.end().await;
}

#[tokio::test]
async fn what_the_erp_refuses_fails_the_run_with_its_words() {
    let world = given().end_to_end().await;
    let message = "field_1039 not exist in entity 70".to_owned();
    world.erp.fail_next(1, ErpFailure::Error { code: "500".to_owned(), message });
    let run = world.run_of("crm/create-deal", json!({ "dealName": "A" })).await;
    assert_eq!(run.status, "Failed");
    let said = run.output["message"].as_str().unwrap();
    assert!(said.contains("field_1039 not exist in entity 70"), "{said}");
    assert_eq!(world.erp.count("insert"), 1);
    world.end().await;
}
