//! `amocrm/webhook`: a deal moved in amoCRM.

use sandbox::bodies;
use serde_json::{Value, json};

use crate::world::{Begin as _, eventually, given};

const LEAD: u64 = 45_721_053;

#[tokio::test]
async fn the_originals_webhook_becomes_one_record_on_either_url() {
    for path in ["/api/inngest", "/api/amocrm-webhook"] {
        let world = given().lead(LEAD, "Ремонт офиса", 46_333).end_to_end().await;
        let answer = world.post_webhook(path, bodies::ORIGINAL).await;
        assert_eq!(answer, (200, json!({ "accepted": 1 })));
        assert_eq!(world.records(1).await, [(json!("Ремонт офиса"), json!(46_333))]);
        world.end().await;
    }
}

#[tokio::test]
async fn the_result_has_the_lead_and_the_record() {
    let world = given().lead(LEAD, "Ремонт офиса", 46_333).end_to_end().await;
    let run = world.run_of("amocrm/webhook", json!({ "leadId": LEAD })).await;
    assert_eq!(run.status, "Completed");
    let mut output = run.output;
    let processed_at = output["processedAt"].take();
    assert!(processed_at.as_str().unwrap().parse::<jiff::Timestamp>().is_ok(), "{processed_at}");
    assert_eq!(
        output,
        json!({
            "success": true,
            "amoCrmLead": { "id": LEAD, "name": "Ремонт офиса", "price": 46_333 },
            "erpResult": { "status": "success", "data": { "id": "119" } },
            "processedAt": null,
        })
    );
    world.end().await;
}

#[tokio::test]
async fn the_shape_of_inngest_clouds_webhook_intake_is_understood() {
    let world = given().lead(1, "Лид", 100).lead(2, "Лид", 100).end_to_end().await;
    let pairs = json!({
        "leads[status][0][id]": ["1"], "leads[status][1][id]": "2", "account[subdomain]": ["oooprometei"],
    });
    for data in [json!({ "data": pairs.clone() }), pairs] {
        let run = world.run_of("amocrm/webhook", data).await;
        assert_eq!(run.output["success"], true);
        let leads = run.output["leads"].as_array().unwrap();
        let ids: Vec<&Value> = leads.iter().map(|lead| &lead["amoCrmLead"]["id"]).collect();
        assert_eq!(ids, [&json!(1), &json!(2)]);
    }
    world.end().await;
}

#[tokio::test]
async fn every_lead_of_a_body_gets_its_record() {
    let world = given().lead(1, "Лид", 100).lead(2, "Лид", 200).lead(3, "Лид", 300);
    let world = world.end_to_end().await;
    let answer = world.post_webhook("/api/amocrm-webhook", bodies::SEVERAL).await;
    assert_eq!(answer, (200, json!({ "accepted": 3 })));
    let mut amounts: Vec<_> =
        world.records(3).await.into_iter().map(|(_, amount)| amount.as_i64()).collect();
    amounts.sort_unstable();
    assert_eq!(amounts, [Some(100), Some(200), Some(300)]);
    world.end().await;
}

#[tokio::test]
async fn where_a_webhook_names_no_stage_that_of_the_lead_decides() {
    let world = given().lead(1, "out of the bin", 100).lead(2_132_111, "accepted", 200);
    let world = world.variable("AMOCRM_TRIGGER_STATUSES", "9679730:77186758").end_to_end().await;
    let elsewhere =
        json!({ "id": 3, "name": "elsewhere", "pipeline_id": 9_679_730, "status_id": 143 });
    world.amocrm.set_lead_json(3, elsewhere);
    let restored = ["leads[restore][0][id]=3", "leads[restore][0][id]=1"];
    for body in restored.into_iter().chain([bodies::UNSORTED]) {
        let answer = world.post_webhook("/api/amocrm-webhook", body).await;
        assert_eq!(answer, (200, json!({ "accepted": 1 })), "{body}");
    }
    let skipped = world.run_of("amocrm/webhook", json!({ "leadId": 3 })).await;
    assert_eq!((skipped.status.as_str(), &skipped.output["leads"]), ("Completed", &json!([])));
    assert_eq!(skipped.output["skipped"][0]["id"], 3);
    let mut names: Vec<_> =
        world.records(2).await.into_iter().map(|(name, _)| name.to_string()).collect();
    names.sort_unstable();
    assert_eq!(names, ["\"accepted\"", "\"out of the bin\""]);
    world.end().await;
}

#[tokio::test]
async fn a_lead_without_a_name_gets_one_and_a_price_of_zero_is_left_out() {
    let world = given().lead(LEAD, None, 0).end_to_end().await;
    world.run_of("amocrm/webhook", json!({ "leadId": LEAD })).await;
    assert_eq!(world.records(1).await, [(json!("Сделка #45721053"), Value::Null)]);
    world.end().await;
}

#[tokio::test]
async fn data_without_a_lead_fails_at_once() {
    let world = given().end_to_end().await;
    for data in
        [json!({}), json!({ "leadId": "x" }), json!({ "data": { "leads[update][0][id]": "1" } })]
    {
        let run = world.run_of("amocrm/webhook", data).await;
        assert_eq!(run.status, "Failed");
        assert_eq!(run.output["message"], "Lead ID not found in webhook data");
    }
    let asked = world.amocrm.requests();
    assert!(asked.iter().all(|request| !request.uri.path().contains("/leads/")), "{asked:?}");
    world.end().await;
}

#[tokio::test]
async fn without_amocrm_the_run_names_the_lead_and_what_to_set() {
    let world = given().without_amocrm().end_to_end().await;
    let run = world.run_of("amocrm/webhook", json!({ "leadId": LEAD })).await;
    assert_eq!(run.status, "Failed");
    let message = run.output["message"].as_str().unwrap();
    assert!(
        message.starts_with("lead 45721053: amoCRM is not configured: set AMOCRM_"),
        "{message}"
    );
    world.end().await;
}

#[tokio::test]
async fn webhooks_without_a_lead_are_answered_and_unreadable_ones_are_kept() {
    let world = given().end_to_end().await;
    let (status, _) =
        world.post_webhook("/api/inngest", "leads[update][0][id]=1&account[id]=1").await;
    assert_eq!(status, 200);
    let (status, answer) = world.post_webhook("/api/amocrm-webhook", "what is this?").await;
    assert_eq!((status, &answer["accepted"]), (200, &json!(0)));
    assert!(world.erp.requests().is_empty());
    assert_eq!(world.amocrm.api_calls(), 0);
    world.end().await;
}

#[tokio::test]
async fn a_run_that_failed_before_the_erp_is_shown_with_its_lead_and_the_reason() {
    let world = given().end_to_end().await;
    world.amocrm.set_lead_json(LEAD, json!({ "id": 7 }));
    let run = world.run_of("amocrm/webhook", json!({ "leadId": LEAD })).await;
    assert_eq!(run.status, "Failed");
    let deal = eventually("the failure is noted", async || world.deals().await.pop()).await;
    assert_eq!((&deal["lead"], &deal["state"]), (&json!(LEAD), &json!("failed")));
    assert!(deal["reason"].as_str().unwrap().contains("lead 45721053"), "{deal}");
    world.end().await;
}

#[tokio::test]
async fn the_pages_of_a_consent_are_served_beside_the_webhooks() {
    let world = given().end_to_end().await;
    for (page, status) in
        [("/oauth/start", 303), ("/oauth/callback?state=x", 400), ("/oauth/disabled", 401)]
    {
        assert_eq!(world.page(page).await.status, status, "{page}");
    }
    world.end().await;
}
