//! The service registers itself: no call and no click of a person is needed.

use serde_json::json;

use crate::world::{Begin as _, NOWHERE, eventually, given};

const LEAD: u64 = 45_721_053;

#[tokio::test]
async fn the_first_webhook_arrives_before_the_functions_are_registered() {
    let world = given().lead(LEAD, "Ремонт офиса", 46_333).end_to_end_unknown().await;
    world.webhook(LEAD).await;
    assert_eq!(world.records(1).await, [(json!("Ремонт офиса"), json!(46_333))]);
    world.end().await;
}

#[tokio::test]
async fn an_inngest_that_has_forgotten_the_functions_is_told_again() {
    let world = given().lead(1, "Первый", 100).lead(2, "Второй", 200);
    let mut world = world.end_to_end().await;
    world.webhook(1).await;
    world.records(1).await;
    world.inngest_forgets().await;
    // It takes the event, and starts nothing.
    world.webhook(2).await;
    assert_eq!(world.records(2).await[1], (json!("Второй"), json!(200)));
    assert_eq!(world.metric("inngest_registered").await, Some(1));
    world.end().await;
}

#[tokio::test]
async fn in_development_the_address_need_not_be_told() {
    let world = given().lead(LEAD, "Лид", 100).variable("INNGEST_SERVE_ORIGIN", "");
    let world = world.in_process().await;
    world.webhook(LEAD).await;
    world.records(1).await;
    world.end().await;
}

#[tokio::test]
async fn in_cloud_mode_the_registration_is_signed() {
    let world = given().signed().lead(LEAD, "Лид", 100).end_to_end_unknown().await;
    world.webhook(LEAD).await;
    world.records(1).await;
    world.end().await;
}

#[tokio::test]
async fn a_deal_that_waits_for_the_registration_says_so() {
    let world = given().inngest_at(NOWHERE).in_process().await;
    world.webhook(LEAD).await;
    let deal = eventually("the deal says why it waits", async || {
        world.deals().await.pop().filter(|deal| deal["reason"].is_string())
    })
    .await;
    let reason = deal["reason"].as_str().unwrap();
    let says = "waits for the registration with Inngest: the Inngest API cannot be reached: ";
    assert!(reason.starts_with(says), "{reason}");
    assert_eq!(
        (&deal["waits_for"], &deal["needs_person"], &deal["next"]),
        (
            &json!("Inngest"),
            &json!(false),
            &json!("a running service sends it as soon as Inngest knows the functions")
        )
    );
    let ready = world.admin_page("/readyz").await;
    assert_eq!((ready.status, &ready.json()["status"]), (200, &json!("ready")));
    let inngest = ready.json()["inngest"].as_str().unwrap().to_owned();
    assert!(inngest.starts_with("deals wait for the registration: "), "{inngest}");
    assert_eq!(world.metric("inngest_registered").await, Some(0));
    world.end().await;
}
