//! T64, T65: sending events.

use inngest::{NewEvent, SendError};
use serde_json::{Value, json};

use crate::support::{EVENT_KEY, FakeApi, body, call, client, cloud, dev, serving_with};

fn event(n: u32) -> NewEvent {
    NewEvent::named("demo/sent", json!({ "n": n }))
}

const TWO_IDS: &str = r#"{"ids":["01A","01B"],"status":200}"#;

#[tokio::test]
async fn events_go_to_the_intake_under_the_event_key() {
    let api = FakeApi::default().answer(200, TWO_IDS);
    let mut settings = cloud();
    settings.env = Some("staging".to_owned());
    let sent = client(settings, api.clone()).send(&[event(1).with_id("one").at(5), event(2)]).await;
    assert_eq!(sent.unwrap(), ["01A", "01B"]);
    let request = &api.requests()[0];
    assert_eq!(request.uri().to_string(), "https://inn.gs/e/event%2Dkey%2D5ecret");
    assert_eq!(request.headers()["x-inngest-env"], "staging");
    assert_eq!(request.headers()["x-inngest-event-id-seed"], "1700000000000,BwcHBwcHBwcHBw==");
    assert!(request.headers().get("authorization").is_none());
    let body: Value = serde_json::from_slice(request.body()).unwrap();
    assert_eq!(
        body,
        json!([
            { "name": "demo/sent", "data": { "n": 1 }, "id": "one", "ts": 5 },
            { "name": "demo/sent", "data": { "n": 2 } },
        ])
    );
}

#[tokio::test]
async fn t64_an_empty_list_needs_no_request_and_no_key_makes_none() {
    let api = FakeApi::default();
    assert_eq!(client(cloud(), api.clone()).send(&[]).await, Ok(vec![]));
    let mut keyless = cloud();
    keyless.event_key = None;
    assert_eq!(client(keyless, api.clone()).send(&[event(1)]).await, Err(SendError::NoEventKey));
    let list = NewEvent::named("demo/sent", json!([1]));
    let refused = client(cloud(), api.clone()).send(&[list]).await;
    assert_eq!(refused, Err(SendError::DataIsNoObject("demo/sent".into())));
    assert!(api.requests().is_empty());
}

#[tokio::test]
async fn in_dev_mode_a_dummy_stands_for_the_key_because_the_server_drops_events_without_one() {
    let api = FakeApi::default().answer(200, r#"{"ids":["01A"]}"#);
    client(dev(), api.clone()).send(&[event(1)]).await.unwrap();
    assert_eq!(api.requests()[0].uri().path(), "/e/NO%5FEVENT%5FKEY%5FSET");
}

#[tokio::test]
async fn t64_refusals_are_final_and_tell_what_was_accepted() {
    let api = FakeApi::default()
        .answer(401, r#"{"status":401,"message":"","error":"Event key not found"}"#);
    let error = client(cloud(), api.clone()).send(&[event(1)]).await.unwrap_err();
    assert_eq!(
        error,
        SendError::Unauthorized { status: 401, message: "Event key not found".into() }
    );
    assert!(!error.to_string().contains(EVENT_KEY));

    let partial = r#"{"ids":["01A"],"status":400,"error":"event name is reserved for internal use: inngest/foo"}"#;
    let api = FakeApi::default().answer(400, partial);
    let error = client(cloud(), api.clone()).send(&[event(1), event(2)]).await.unwrap_err();
    insta::assert_snapshot!(error, @"Inngest refuses the event at position 1 (HTTP 400): event name is reserved for internal use: inngest/foo");
    assert_eq!(api.requests().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn t64_passing_troubles_are_tried_again_with_the_same_seed() {
    let api = FakeApi::default()
        .fail("connection refused")
        .answer(503, "")
        .answer(429, "slow down")
        .answer(200, "")
        .answer(200, TWO_IDS);
    let sent = client(cloud(), api.clone()).send(&[event(1), event(2)]).await;
    assert_eq!(sent.unwrap(), ["01A", "01B"]);
    let seeds: Vec<_> = api
        .requests()
        .iter()
        .map(|request| request.headers()["x-inngest-event-id-seed"].clone())
        .collect();
    assert_eq!(seeds.len(), 5);
    assert!(seeds.windows(2).all(|pair| pair[0] == pair[1]));
}

#[tokio::test(start_paused = true)]
async fn a_reply_without_ids_is_no_success() {
    let api = (0..5).fold(FakeApi::default(), |api, _| api.answer(200, ""));
    let error = client(cloud(), api).send(&[event(1)]).await.unwrap_err();
    assert!(matches!(error, SendError::Unavailable(_)), "{error}");
}

#[tokio::test]
async fn t65_a_repeated_send_step_sends_the_same_ids() {
    let api = FakeApi::default().answer(200, TWO_IDS).answer(200, TWO_IDS);
    let endpoint = serving_with(client(cloud_in_dev(), api.clone()), |step, _| {
        Box::pin(async move { Ok(json!(step.send_event("tell", vec![event(1), event(2)]).await?)) })
    });
    let first = call(&endpoint, &body()).await;
    assert_eq!(first.json()[0]["data"], json!({ "ids": ["01A", "01B"] }));
    call(&endpoint, &body()).await;
    let seeds: Vec<_> = api
        .requests()
        .iter()
        .map(|request| request.headers()["x-inngest-event-id-seed"].clone())
        .collect();
    assert_eq!(seeds[0], seeds[1]);
    let memo = crate::support::body_with(&[("tell", json!({ "data": { "ids": ["01A", "01B"] } }))]);
    assert_eq!(call(&endpoint, &memo).await.json(), json!(["01A", "01B"]));
}

fn cloud_in_dev() -> inngest::Settings {
    dev()
}
