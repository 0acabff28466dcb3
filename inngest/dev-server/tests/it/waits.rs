//! Waiting for events and signals (P-132, P-133, P-180).

use std::time::Duration;

use serde_json::json;

use crate::fake_sdk::{Answer, Call};
use crate::world::{World, function};

#[tokio::test]
async fn the_awaited_event_is_the_result_as_it_is() {
    let mut world =
        World::one_op("WaitForEvent", json!({"event": "user/ok", "timeout": "1h"})).await;
    world.send().await;
    assert_eq!(world.waiting().await, Duration::from_secs(3600));
    world.event("user/other", json!({})).await;
    let id = world.event("user/ok", json!({"a": 1})).await;
    let memo = &world.end().await.unwrap()["memo"];
    assert_eq!((&memo["name"], &memo["data"]), (&json!("user/ok"), &json!({"a": 1})));
    assert_eq!((&memo["id"], &memo["user"]), (&json!(id), &json!({})));
}

#[tokio::test]
async fn the_name_stands_in_for_the_event() {
    let mut world = World::one_op("WaitForEvent", json!({"timeout": "1h"})).await;
    world.send().await;
    world.waiting().await;
    world.event("w", json!({"a": 1})).await;
    assert_eq!(world.end().await.unwrap()["memo"]["data"], json!({"a": 1}));
}

#[tokio::test]
async fn only_an_event_that_meets_the_condition_counts() {
    let opts = json!({"event": "user/ok", "timeout": "1h", "if": "async.data.n == event.data.n"});
    let mut world = World::one_op("WaitForEvent", opts).await;
    world.send().await;
    world.waiting().await;
    world.event("user/ok", json!({"n": 2})).await;
    world.event("user/ok", json!({})).await;
    world.event("user/ok", json!({"n": 1, "third": true})).await;
    assert_eq!(world.end().await.unwrap()["memo"]["data"]["third"], true);
}

#[tokio::test]
async fn without_an_event_in_time_there_is_none() {
    for timeout in ["2s", "", "0s"] {
        let mut world =
            World::one_op("WaitForEvent", json!({"event": "user/ok", "timeout": timeout})).await;
        world.send().await;
        let wait = world.waiting().await;
        world.clock.advance(wait);
        assert_eq!(world.end().await, Ok(json!({"memo": null})), "{timeout}");
        // Too late: it changes nothing.
        world.event("user/ok", json!({})).await;
    }
}

#[tokio::test]
async fn waits_that_the_real_server_hangs_on_fail() {
    for (op, opts, text) in [
        ("WaitForEvent", json!({"event": "a"}), "(P-003)"),
        ("WaitForEvent", json!({"event": "a", "timeout": "P1D"}), "(P-003)"),
        (
            "WaitForEvent",
            json!({"event": "a", "timeout": "400d"}),
            "ends more than one year in the future",
        ),
        ("WaitForEvent", json!({"event": "a", "timeout": "1h", "if": "("}), "failed to compile"),
        ("WaitForEvent", json!({"event": "a", "timeout": "1h", "if": "f(1)"}), "failed to compile"),
        ("WaitForSignal", json!({"timeout": "1h"}), "(P-003)"),
        ("WaitForSignal", json!({"signal": "s"}), "(P-003)"),
    ] {
        let mut world = World::one_op(op, opts.clone()).await;
        world.send().await;
        let message = world.failure().await;
        assert!(message.contains(text), "{opts}: {message}");
    }
}

#[tokio::test]
async fn a_condition_that_cannot_be_read_is_explained() {
    let opts = json!({"event": "a", "timeout": "1h", "if": "f(1)"});
    let mut world = World::one_op("WaitForEvent", opts).await;
    world.send().await;
    let expected = concat!(
        r#"{"error":{"error":"InvalidExpression: Wait for event If expression failed to compile","#,
        r#""name":"InvalidExpression","message":"Wait for event If expression failed to compile","#,
        r#""stack":"f() is not supported by the expressions of this dev server"}}"#,
    );
    assert_eq!(world.end().await, Err(json!(expected)));
}

#[tokio::test]
async fn a_signal_resumes_the_run_that_waits_for_it() {
    let mut world =
        World::one_op("WaitForSignal", json!({"signal": "task/1", "timeout": "5m"})).await;
    let signal = json!({"signal": "task/1", "data": {"ok": true}});
    let (status, answer) = world.post("/v1/signals", &signal).await;
    assert_eq!(status, 404);
    assert_eq!(answer, json!({"error": "No signal found", "data": null, "status": 404}));
    world.send().await;
    world.waiting().await;
    let (status, answer) = world.post("/v1/signals", &signal).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["data"]["run_id"], world.sdk.calls()[0].body["ctx"]["run_id"]);
    let memo = json!({"data": {"data": {"ok": true}, "signal": "task/1"}});
    assert_eq!(world.end().await, Ok(json!({"memo": memo})));
    assert_eq!(world.post("/v1/signals", &signal).await.0, 404);
    assert_eq!(world.post("/v1/signals", &json!({"data": 1})).await.0, 500);
}

#[tokio::test]
async fn two_runs_for_one_signal_are_a_conflict() {
    let opts = json!({"signal": "s", "timeout": "5m", "conflict": "fail"});
    let mut world = World::one_op("WaitForSignal", opts).await;
    world.send().await;
    world.waiting().await;
    world.send().await;
    let message = world.failure().await;
    assert_eq!(message, "Signal conflict; signal wait already exists for another run");
    world.post("/v1/signals", &json!({"signal": "s"})).await;
    let memo = json!({"data": {"data": null, "signal": "s"}});
    assert_eq!(world.end().await, Ok(json!({"memo": memo})));
}

#[tokio::test]
async fn a_signal_can_be_taken_over() {
    let opts = json!({"signal": "s", "timeout": "5m", "conflict": "replace"});
    let mut world = World::one_op("WaitForSignal", opts).await;
    world.send().await;
    world.waiting().await;
    world.send().await;
    world.waiting().await;
    let second = world.sdk.calls()[1].body["ctx"]["run_id"].clone();
    let (_, answer) = world.post("/v1/signals", &json!({"signal": "s"})).await;
    assert_eq!(answer["data"]["run_id"], second);
    assert!(world.end().await.unwrap()["memo"]["data"].is_object());
    world.clock.advance(Duration::from_secs(300));
    assert_eq!(world.end().await, Ok(json!({"memo": null})));
}

/// A wait of the same reply begins before the step that sends its event (P-166).
#[tokio::test]
async fn a_wait_and_a_planned_step_form_a_group() {
    let functions = json!([function("app-fn", "app/event", 1)]);
    let mut world = World::start(functions, |call| match call.step() {
        "step" if call.memo("w").is_none() => Answer::ops(json!([
            {"op": "StepPlanned", "id": "a", "name": "a"},
            {"op": "WaitForEvent", "id": "w", "name": "w", "opts": {"event": "user/ok", "timeout": "1h"}},
        ])),
        "step" => Answer::done(json!([call.memo("a").is_some(), call.body["ctx"]["disable_immediate_execution"]])),
        hash => Answer::ran(hash, json!(1)),
    })
    .await;
    world.send().await;
    world.waiting().await;
    world.event("user/ok", json!({})).await;
    assert_eq!(world.end().await, Ok(json!([true, false])));
}

#[tokio::test]
async fn a_trigger_may_have_a_condition() {
    let mut config = function("app-fn", "app/event", 1);
    config["triggers"][0]["expression"] = json!("event.data.plan == 'pro'");
    let script = |call: &Call| Answer::done(call.body["event"]["data"].clone());
    let mut world = World::start(json!([config]), script).await;
    world.event("app/event", json!({"plan": "free"})).await;
    world.event("app/event", json!({"plan": "pro"})).await;
    assert_eq!(world.end().await, Ok(json!({"plan": "pro"})));
    assert_eq!(world.sdk.calls().len(), 1);
}
