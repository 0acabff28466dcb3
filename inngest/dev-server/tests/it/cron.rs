//! Functions that run by themselves (P-077, P-113).

use std::time::Duration;

use serde_json::json;

use crate::fake_sdk::{Answer, Call};
use crate::world::{World, function_with, payload};

async fn scheduled(cron: &str) -> World {
    let config = function_with("triggers", json!([{"cron": cron}]));
    let script = |call: &Call| Answer::done(call.body["event"].clone());
    World::start(json!([config]), script).await
}

#[tokio::test]
async fn a_run_begins_at_every_time_of_the_schedule() {
    let mut world = scheduled("* * * * *").await;
    // The clock stands at 12:00:00.250.
    for (minute, ts) in [(1, 1_795_348_860_000_i64), (2, 1_795_348_920_000)] {
        world.clock.advance(Duration::from_secs(60));
        let at = format!("2026-11-22T12:0{minute}:00Z");
        let event = json!({
            "name": "inngest/scheduled.timer", "id": at, "ts": ts, "user": {},
            "data": {"cron": "* * * * *", "scheduledAt": at, "fireAt": at},
        });
        assert_eq!(world.end().await, Ok(event));
    }
    assert_eq!(world.sdk.calls().len(), 2);
}

#[tokio::test]
async fn missed_times_are_skipped() {
    let mut world = scheduled("TZ=Europe/Paris */10 * * * *").await;
    world.clock.advance(Duration::from_secs(3600));
    assert_eq!(world.end().await.unwrap()["id"], "2026-11-22T12:10:00Z");
    world.clock.advance(Duration::from_secs(600));
    assert_eq!(world.end().await.unwrap()["id"], "2026-11-22T13:10:00Z");
}

#[tokio::test]
async fn a_schedule_that_is_gone_runs_no_more() {
    let mut world = scheduled("* * * * *").await;
    let config = function_with("triggers", json!([{"event": "app/event"}]));
    let mut config = config;
    config["steps"]["step"]["runtime"]["url"] =
        json!(format!("{}&fnId=app-fn&stepId=step", world.sdk.url));
    let (status, answer) = world.post("/fn/register", &payload(&json!([config]))).await;
    assert_eq!(status, 200, "{answer}");
    world.clock.advance(Duration::from_secs(60));
    world.send().await;
    assert_eq!(world.end().await.unwrap()["name"], "app/event");
    assert_eq!(world.sdk.calls().len(), 1);
}
