//! From an event to the end of its run.

use std::time::Duration;

use inngest_dev_server::Observation;
use serde_json::{Value, json};

use crate::fake_sdk::Answer;
use crate::world::World;

#[tokio::test]
async fn a_function_without_steps_returns_and_can_be_looked_up() {
    let mut world = World::simple(|_| Answer::done(json!({"ok": true}))).await;
    let event = world.send().await;
    assert_eq!(world.end().await, Ok(json!({"ok": true})));

    let runs = world.get(&format!("/v1/events/{event}/runs")).await;
    let run_id = runs["data"][0]["run_id"].as_str().unwrap();
    let run = world.get(&format!("/v1/runs/{run_id}")).await;
    assert_eq!(run["data"]["status"], "Completed");
    assert_eq!(run["data"]["event_id"], event.as_str());
    assert_eq!(run["data"]["output"], json!({"ok": true}));
    assert_eq!(run["data"]["ended_at"], "2026-11-22T12:00:00.25Z");
    assert_eq!(run["data"], runs["data"][0]);
    assert_eq!(world.get(&format!("/v1/events/{event}")).await["data"]["name"], "app/event");
}

#[tokio::test]
async fn steps_are_saved_and_given_back() {
    let mut world = World::simple(|call| match call.memo("a") {
        None => Answer::ran("a", json!(7)),
        Some(memo) => Answer::done(memo["data"].clone()),
    })
    .await;
    world.send().await;
    let finished = world
        .until(|seen| match seen {
            Observation::StepFinished { name, result, .. } => Some((name, result)),
            _ => None,
        })
        .await;
    assert_eq!(finished, ("a".to_owned(), Ok(json!(7))));
    assert_eq!(world.end().await, Ok(json!(7)));
    let calls = world.sdk.calls();
    assert_eq!(calls.len(), 2);
    assert_eq!(calls[0].body["version"], -1);
    assert_eq!(calls[1].body["version"], 2);
    assert_eq!(calls[1].body["ctx"]["stack"], json!({"current": 1, "stack": ["a"]}));
}

#[tokio::test]
async fn a_failed_step_is_retried_and_then_shown_to_the_function() {
    let mut world = World::simple(|call| match call.memo("a") {
        None => Answer::step_error("a", "nope").with("x-inngest-no-retry", "false"),
        Some(memo) => Answer::done(memo.clone()),
    })
    .await;
    world.send().await;
    assert_eq!(world.next_retry().await, Duration::from_secs(15));
    let expected = json!({"error": {"name": "Error", "message": "nope"}});
    assert_eq!(world.end().await, Ok(expected));
    let attempts: Vec<u64> = world.sdk.calls().iter().map(|call| call.attempt()).collect();
    assert_eq!(attempts, [0, 1, 0]);
    let generation = |call: usize| world.sdk.calls()[call].body["ctx"]["generation_id"].clone();
    assert_eq!((generation(0), generation(1)), (json!(1), json!(2)));
}

#[tokio::test]
async fn a_failed_function_is_retried_until_no_attempt_is_left() {
    let mut world = World::simple(|_| Answer::error("nope")).await;
    let event = world.send().await;
    assert_eq!(world.next_retry().await, Duration::from_secs(15));
    assert_eq!(world.end().await, Err(json!({"name": "Error", "message": "nope"})));
    assert_eq!(world.sdk.calls().len(), 2);
    let runs = world.get(&format!("/v1/events/{event}/runs")).await;
    assert_eq!(runs["data"][0]["status"], "Failed");
    assert_eq!(runs["data"][0]["output"]["message"], Value::from("nope"));
}
