//! Functions that call functions (P-134, P-108).

use std::time::Duration;

use serde_json::{Value, json};

use crate::fake_sdk::{Answer, Call};
use crate::world::{World, function};

/// `app-fn` invokes with `opts` and returns the memo; `app-other` answers as `other` says.
async fn invokes(opts: Value, other: impl Fn(&Call) -> Answer + Send + Sync + 'static) -> World {
    let op = json!([{"op": "InvokeFunction", "id": "i", "name": "call", "opts": opts}]);
    let functions = json!([function("app-fn", "app/event", 0), function("app-other", "other", 0)]);
    World::start(functions, move |call| match (call.function(), call.memo("i")) {
        ("app-other", _) => other(call),
        (_, None) => Answer::ops(op.clone()),
        (_, Some(memo)) => Answer::done(json!({"memo": memo})),
    })
    .await
}

#[tokio::test]
async fn the_result_of_the_other_function_is_the_result_of_the_step() {
    let opts = json!({"function_id": "app-other", "payload": {"data": {"x": 1}, "user": {"u": 2}}});
    let mut world = invokes(opts, |call| Answer::done(call.body["event"].clone())).await;
    world.send().await;
    let output = world.end().await.unwrap();
    let event = &output["memo"]["data"];
    assert_eq!(event["name"], "inngest/function.invoked");
    assert_eq!((&event["data"]["x"], &event["user"]), (&json!(1), &json!({"u": 2})));
    let run = &world.sdk.calls()[0].body["ctx"]["run_id"];
    let correlation = format!("{}.i", run.as_str().unwrap());
    assert_eq!(event["data"]["_inngest"]["correlation_id"], correlation);
}

#[tokio::test]
async fn nothing_returned_is_null() {
    let opts = json!({"function_id": "app-other", "payload": {}});
    let mut world = invokes(opts, |_| Answer::done(json!(null))).await;
    world.send().await;
    assert_eq!(world.end().await, Ok(json!({"memo": {"data": null}})));
}

#[tokio::test]
async fn a_failed_function_fails_the_step() {
    let opts = json!({"function_id": "app-other", "payload": {"data": null}, "timeout": "1h"});
    let error = json!({"name": "Error", "message": "boom400", "stack": "s"});
    let mut world = invokes(opts, move |_| {
        Answer::new(400, error.to_string()).with("x-inngest-no-retry", "true")
    })
    .await;
    world.send().await;
    let error =
        json!({"error": "NonRetriableError", "message": "boom400", "name": "Error", "stack": "s"});
    assert_eq!(world.end().await, Ok(json!({"memo": {"error": error}})));
}

#[tokio::test]
async fn an_unknown_function_fails_the_step() {
    let mut world =
        invokes(json!({"function_id": "nope-nope", "payload": {}}), |_| Answer::done(json!(null)))
            .await;
    world.send().await;
    let error = json!({"message": "could not find function with ID: nope-nope", "name": "Error"});
    assert_eq!(world.end().await, Ok(json!({"memo": {"error": error}})));
}

#[tokio::test]
async fn a_function_that_takes_too_long_fails_the_step() {
    let opts = json!({"function_id": "app-other", "payload": {}, "timeout": "10s"});
    let mut world = invokes(opts, |call| match call.memo("nap") {
        None => Answer::sleep("1h"),
        Some(_) => Answer::done(json!("late")),
    })
    .await;
    world.send().await;
    world.asleep().await;
    world.clock.advance(Duration::from_secs(10));
    let message = "Timed out waiting for invoked function to complete";
    let error = json!({
        "error": format!("InngestInvokeTimeoutError: {message}"),
        "message": message,
        "name": "InngestInvokeTimeoutError",
    });
    assert_eq!(world.end().await, Ok(json!({"memo": {"error": error}})));
}

/// [observed on server 1.43]: the step has the whole event for its result.
#[tokio::test]
async fn a_cancelled_function_is_reported() {
    let op = json!([{"op": "InvokeFunction", "id": "i", "name": "call",
        "opts": {"function_id": "app-other", "payload": {}}}]);
    let mut other = function("app-other", "other", 0);
    other["cancel"] = json!([{"event": "stop"}]);
    let functions = json!([function("app-fn", "app/event", 0), other]);
    let mut world = World::start(functions, move |call| match (call.function(), call.memo("i")) {
        ("app-other", _) => Answer::sleep("1h"),
        (_, None) => Answer::ops(op.clone()),
        (_, Some(memo)) => Answer::done(memo.clone()),
    })
    .await;
    world.send().await;
    world.asleep().await;
    world.event("stop", json!({})).await;
    let memo = world.end().await.unwrap();
    assert_eq!(memo["data"]["name"], "inngest/function.finished");
    assert_eq!(memo["data"]["data"]["_inngest"]["status"], "Cancelled");
}

#[tokio::test]
async fn a_function_that_runs_once_at_a_time_cannot_be_waited_for() {
    let op = json!([{"op": "InvokeFunction", "id": "i", "name": "call",
        "opts": {"function_id": "app-fn", "payload": {}}}]);
    let mut config = function("app-fn", "app/event", 0);
    config["singleton"] = json!({"mode": "skip"});
    let mut world = World::start(json!([config]), move |_| Answer::ops(op.clone())).await;
    world.send().await;
    let message = world.failure().await;
    assert!(message.contains("(P-086)"), "{message}");
}

#[tokio::test]
async fn payloads_that_the_real_server_crashes_or_hangs_on_fail_the_run() {
    for (opts, rule) in [
        (json!({"function_id": "app-other"}), "(P-004)"),
        (json!({"function_id": "app-other", "payload": null}), "(P-004)"),
        (json!({"function_id": "app-other", "payload": {"data": []}}), "(P-003)"),
        (json!({"function_id": "app-other", "payload": {}, "timeout": "P1D"}), "(P-003)"),
        (json!({"payload": {}}), "(P-003)"),
    ] {
        let mut world = invokes(opts.clone(), |_| Answer::done(json!(null))).await;
        world.send().await;
        let message = world.failure().await;
        assert!(message.contains(rule), "{opts}: {message}");
    }
}
