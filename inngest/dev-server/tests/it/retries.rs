//! Which failures are tried again, and when.

use std::time::Duration;

use inngest_dev_server::{DevServer, Observation};
use serde_json::json;

use crate::fake_sdk::Answer;
use crate::world::{World, client, function, message, payload, until};

#[tokio::test]
async fn only_the_no_retry_header_ends_a_function_at_once() {
    let error = json!({"name": "Error", "message": "final"}).to_string();
    for (status, header, calls) in
        [(400, Some("true"), 1), (500, Some("true"), 1), (400, Some("false"), 2), (400, None, 2)]
    {
        let error = error.clone();
        let mut world = World::simple(move |_| {
            let answer = Answer::new(status, error.clone());
            header.map_or(answer.clone(), |header| answer.with("x-inngest-no-retry", header))
        })
        .await;
        world.send().await;
        if calls == 2 {
            world.next_retry().await;
        }
        assert_eq!(world.failure().await, "final");
        assert_eq!(world.sdk.calls().len(), calls, "{status} {header:?}");
    }
}

#[tokio::test]
async fn a_step_error_without_retry_is_shown_to_the_function_at_once() {
    let mut world = World::simple(|call| match call.memo("a") {
        None => Answer::step_error("a", "nope").with("x-inngest-no-retry", "true"),
        Some(memo) => Answer::done(memo["error"].clone()),
    })
    .await;
    world.send().await;
    let expected = json!({"name": "Error", "message": "nope", "noRetry": true});
    assert_eq!(world.end().await, Ok(expected));
    assert_eq!(world.sdk.calls().len(), 2);
}

#[tokio::test]
async fn a_failed_step_is_final() {
    let mut world = World::simple(|call| match call.memo("a") {
        None => Answer::ops(json!([{"op": "StepFailed", "id": "a", "name": "a",
            "error": {"name": "Error", "message": "nope"}}])),
        Some(memo) => Answer::done(memo["error"]["message"].clone()),
    })
    .await;
    world.send().await;
    assert_eq!(world.end().await, Ok(json!("nope")));
}

/// It is 12:00:00.250, and the server counts from 12:00:00.
#[tokio::test]
async fn retry_after_is_obeyed_for_functions_and_steps() {
    for step in [false, true] {
        let mut world = World::simple(move |call| match (call.attempt(), step) {
            (0, false) => Answer::error("busy").with("retry-after", "90"),
            (0, true) => Answer::step_error("a", "busy")
                .with("x-inngest-no-retry", "false")
                .with("retry-after", "Sun, 22 Nov 2026 12:01:30 GMT"),
            _ => Answer::done(json!("fine")),
        })
        .await;
        world.send().await;
        assert_eq!(world.next_retry().await, Duration::from_millis(89_750));
        assert_eq!(world.end().await, Ok(json!("fine")));
    }
}

#[tokio::test]
async fn the_waits_grow_unless_an_interval_is_set() {
    for (interval, waits) in
        [(None, [15, 30, 60, 120]), (Some(Duration::from_secs(2)), [2, 2, 2, 2])]
    {
        let mut builder = DevServer::builder();
        if let Some(interval) = interval {
            builder = builder.retry_interval(interval);
        }
        let mut config = function("app-fn", "app/event", 0);
        config["steps"]["step"].as_object_mut().unwrap().remove("retries");
        let mut world =
            World::with(builder, None, json!([config]), |_| Answer::error("nope")).await;
        world.send().await;
        for wait in waits {
            assert_eq!(world.next_retry().await, Duration::from_secs(wait));
        }
        assert_eq!(world.failure().await, "nope");
        let max = |call: &crate::fake_sdk::Call| call.body["ctx"]["max_attempts"].clone();
        assert_eq!(world.sdk.calls().iter().map(max).collect::<Vec<_>>(), vec![json!(5); 5]);
    }
}

#[tokio::test]
async fn these_headers_spoil_a_result() {
    let mut world =
        World::simple(|_| Answer::done(json!(1)).with("x-inngest-no-retry", "true")).await;
    world.send().await;
    assert_eq!(world.end().await, Err(json!(1)));

    let mut world = World::simple(|_| Answer::done(json!(1)).with("retry-after", "5")).await;
    world.send().await;
    assert_eq!(world.next_retry().await, Duration::from_millis(4750));
    assert_eq!(world.end().await, Err(json!(1)));
}

#[tokio::test]
async fn an_app_that_is_gone_is_tried_again() {
    let mut world = World::simple(|_| Answer::done(json!(1))).await;
    // No service listens on this port.
    let gone = "127.0.0.1:1";
    let mut config = function("gone-fn", "gone/event", 1);
    config["steps"]["step"]["runtime"]["url"] = json!(format!("http://{gone}/?fnId=gone-fn"));
    let mut body = payload(&json!([config]));
    body["appName"] = json!("gone");
    let url = world.server.url().join("/fn/register").unwrap();
    client().post(url).body(body.to_string()).send().await.unwrap();
    world.post_events(r#"{"name":"gone/event"}"#).await;
    world.next_retry().await;
    let message = until!(world, Observation::RunFailed { output, .. } => message(output));
    assert!(message.starts_with("Unable to reach SDK URL: "), "{message}");
}

#[tokio::test]
async fn no_function_gets_more_than_20_retries() {
    let functions = json!([function("app-fn", "app/event", 25)]);
    let mut world = World::start(functions, |_| Answer::done(json!(1))).await;
    world.send().await;
    world.end().await.unwrap();
    assert_eq!(world.sdk.calls()[0].body["ctx"]["max_attempts"], 21);
}
