//! Runs that are cancelled: by events and by time (P-084, P-085, P-187).

use std::time::Duration;

use inngest_dev_server::Observation;
use serde_json::{Value, json};

use crate::fake_sdk::{Answer, Call};
use crate::world::{World, function_with, until};

/// A function that sleeps for an hour.
async fn sleeper(setting: &str, value: Value) -> World {
    World::start(json!([function_with(setting, value)]), |call: &Call| match call.memo("nap") {
        None => Answer::sleep("1h"),
        Some(_) => Answer::done(json!("awake")),
    })
    .await
}

#[tokio::test]
async fn an_event_cancels_the_runs_that_it_is_meant_for() {
    let cancel = json!([{"event": "cancel/please", "if": "async.data.n == event.data.n"}]);
    let mut world = sleeper("cancel", cancel).await;
    let event = world.send().await;
    world.asleep().await;
    world.event("cancel/please", json!({"n": 2})).await;
    world.event("cancel/please", json!({"n": 1})).await;
    let run = world.cancelled().await;
    let names: [&str; 2] = ["inngest/function.cancelled", "inngest/function.finished"];
    for expected in names {
        let data = until!(world, Observation::EventReceived { name, data, .. } if name == expected => data);
        assert_eq!((&data["run_id"], &data["function_id"]), (&json!(run), &json!("app-fn")));
        assert_eq!(data["_inngest"]["status"], "Cancelled");
        assert!(data.get("error").is_none() && data.get("result").is_none());
    }
    let runs = world.get(&format!("/v1/events/{event}/runs")).await;
    assert_eq!(runs["data"][0]["status"], "Cancelled");
    // The function is not called when the sleep would have been over.
    world.clock.advance(Duration::from_secs(3600));
    world.send().await;
    world.asleep().await;
    assert_eq!(world.sdk.calls().len(), 2);
}

#[tokio::test]
async fn an_event_cancels_only_while_it_may() {
    let mut world = sleeper("cancel", json!([{"event": "cancel/please", "timeout": "10s"}])).await;
    world.send().await;
    world.asleep().await;
    world.clock.advance(Duration::from_secs(11));
    world.event("cancel/please", json!({})).await;
    world.clock.advance(Duration::from_secs(3600));
    assert_eq!(world.end().await, Ok(json!("awake")));
}

#[tokio::test]
async fn a_run_that_takes_too_long_is_cancelled() {
    let mut world = sleeper("timeouts", json!({"finish": "10s"})).await;
    world.send().await;
    world.asleep().await;
    world.clock.advance(Duration::from_secs(10));
    world.cancelled().await;
}

#[tokio::test]
async fn a_run_that_cannot_begin_in_time_is_cancelled() {
    let mut config = function_with("timeouts", json!({"start": "10s"}));
    config["throttle"] = json!({"limit": 1, "period": "1h"});
    let script = |_: &Call| Answer::done(json!("done"));
    let mut world = World::start(json!([config]), script).await;
    world.send().await;
    assert_eq!(world.end().await, Ok(json!("done")));
    world.send().await;
    assert!(world.started().await);
    world.clock.advance(Duration::from_secs(10));
    world.cancelled().await;
    assert_eq!(world.sdk.calls().len(), 1);
}
