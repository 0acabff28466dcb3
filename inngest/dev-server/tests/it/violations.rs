//! Replies that no SDK should send: none may leave a run hanging.

use serde_json::{Value, json};

use crate::fake_sdk::{Answer, Call};
use crate::world::{World, function};

/// The message of a run that fails on its only attempt.
async fn failure(script: impl Fn(&Call) -> Answer + Send + Sync + 'static) -> String {
    let functions = json!([function("app-fn", "app/event", 0)]);
    let mut world = World::start(functions, script).await;
    world.send().await;
    world.failure().await
}

async fn failure_on(ops: Value) -> String {
    failure(move |_| Answer::ops(ops.clone())).await
}

#[tokio::test]
async fn replies_that_come_from_no_sdk() {
    let ended = async |header: Option<&'static str>| {
        let mut world = World::start(json!([function("app-fn", "app/event", 0)]), move |_| {
            let answer = Answer::done(json!({"a": 1})).without("x-inngest-sdk");
            header.map_or(answer.clone(), |header| answer.with("x-inngest-sdk", header))
        })
        .await;
        world.send().await;
        world.end().await
    };
    for header in [None, Some("inngest-rs"), Some("inngest-rs:0.1.0"), Some("a:b:v0.1.0")] {
        assert_eq!(ended(header).await, Err(json!({"a": 1})), "{header:?}");
    }
    let proxy = |_: &Call| Answer::new(502, "Bad Gateway").without("x-inngest-sdk");
    let expected = "Your server returned HTTP 502 before the SDK responded.";
    assert_eq!(failure(proxy).await, expected);
}

#[tokio::test]
async fn a_missing_sdk_header_costs_an_attempt() {
    let mut world = World::simple(|call| match call.attempt() {
        0 => Answer::done(json!(1)).without("x-inngest-sdk"),
        _ => Answer::done(json!(2)),
    })
    .await;
    world.send().await;
    world.next_retry().await;
    assert_eq!(world.end().await, Ok(json!(2)));
}

#[tokio::test]
async fn invalid_ops_reject_the_reply() {
    let good = json!({"op": "StepPlanned", "id": "a", "name": "a"});
    for (ops, expected) in [
        (json!([{"op": "StepNotFound", "id": "a"}, good]), "StepNotFound does not belong"),
        (json!([{"id": "a"}]), "does not belong to Opcode values"),
        (json!([good, null]), "opcode cannot be null"),
        (json!("text"), "expected JSON object or array"),
        (json!(null), "expected JSON object or array"),
        (json!([{"op": "StepRun", "id": 5}]), "`id` must be a string"),
        (json!([{"op": "StepError", "id": "a", "error": "text"}]), "must carry an `error` object"),
        (json!([{"op": "StepError", "id": "a"}]), "received without Error field"),
        (json!([{"op": "StepError", "id": "a", "error": {"message": 5}}]), "`message`"),
        (json!([{"op": "StepRun", "id": "a", "data": "x".repeat(4 * 1024 * 1024)}]), "step output"),
    ] {
        let message = failure_on(ops).await;
        assert!(message.contains(expected), "{message}");
    }
    for (data, expected) in [
        (r#"{"a":1,"a":2}"#, "\"a\" is repeated"),
        (r#""\ud800""#, "hex escape"),
        ("1e400", "number out of range"),
    ] {
        let reply = format!(r#"[{{"op":"StepRun","id":"s","name":"s","data":{data}}}]"#);
        let message = failure(move |_| Answer::new(206, reply.clone())).await;
        assert!(message.contains(expected), "{message}");
    }
    assert_eq!(failure(|_| Answer::new(206, "")).await, "no response data");
    assert!(failure(|_| Answer::new(206, "x")).await.contains("error reading generator opcode"));
}

#[tokio::test]
async fn an_op_that_is_not_supported_is_named() {
    for op in ["SyncRunComplete", "DeferCancel", "Metadata", "rundone"] {
        let message = failure_on(json!([{"op": op, "id": "a", "name": "a"}])).await;
        assert!(message.contains(op), "{message}");
    }
}

/// P-117, P-191.
#[tokio::test]
async fn streams_that_hold_no_answer() {
    for (stream, expected) in [
        ("x", "error parsing stream: "),
        ("  ", "error parsing stream: "),
        (r#"{"error":"the app went away"}"#, "error parsing stream: the app went away"),
        (r#"{"status":206,"body":"x"}"#, "error reading generator opcode"),
        (r#"{"status":201,"body":"x"}"#, "error parsing stream: "),
    ] {
        let message = failure(move |_| Answer::new(201, stream)).await;
        assert!(message.contains(expected), "{stream}: {message}");
    }
}

#[tokio::test]
async fn what_the_real_server_hangs_or_loops_on_is_an_error() {
    let ran = |id: &str| json!({"op": "StepRun", "id": id, "name": id, "data": 1});
    for (ops, rule) in [
        (json!([ran("a"), ran("b")]), "(P-005)"),
        (json!([]), "(P-139)"),
        (json!([{"op": "None", "id": "a"}]), "(P-139)"),
        (json!([{"op": "Sleep", "id": "a", "opts": {"duration": "P1D"}}]), "(P-003)"),
        (json!([{"op": "Sleep", "id": "a", "opts": {"duration": "1500"}}]), "(P-003)"),
        (
            json!([{"op": "Sleep", "id": "a", "opts": {"duration": "400d"}}]),
            "ends more than one year in the future",
        ),
    ] {
        let message = failure_on(ops.clone()).await;
        assert!(message.contains(rule), "{ops}: {message}");
    }
}

#[tokio::test]
async fn too_many_steps_fail_the_run() {
    let op = |n: usize| json!({"op": "StepPlanned", "id": n.to_string(), "name": "a"});
    let message = failure_on((0..1001).map(op).collect()).await;
    assert_eq!(message, "The function run exceeded the step limit of 1000 steps.");
}

#[tokio::test]
async fn a_step_whose_result_was_sent_must_not_be_reported_again() {
    let message = failure(|call| match call.memo("a") {
        None => Answer::ran("a", json!(1)),
        Some(_) => Answer::planned(&["a"]),
    })
    .await;
    assert!(message.contains("(P-158)"), "{message}");
}

#[tokio::test]
async fn a_call_for_a_step_must_be_answered_with_it() {
    let message = failure(|call| match call.step() {
        "step" => Answer::planned(&["a"]),
        _ => Answer::ran("b", json!(1)),
    })
    .await;
    assert!(message.contains("(P-159)"), "{message}");
}

#[tokio::test]
async fn a_run_with_nothing_left_to_do_fails() {
    let message = failure(|call| match (call.step(), call.memo("nap")) {
        // The planned step is never run: the discovery that follows plans it again, which changes nothing.
        ("a", _) => Answer::ops(json!([])),
        (_, None) | (_, Some(_)) => Answer::planned(&["a"]),
    })
    .await;
    assert!(message.contains("nothing is left to do"), "{message}");
}

#[tokio::test]
async fn compressed_replies_are_refused() {
    let message = failure(|_| Answer::done(json!(1)).with("content-encoding", "zstd")).await;
    assert!(message.starts_with("unsupported content encoding: \"zstd\""), "{message}");
}

#[tokio::test]
async fn a_reply_over_8_mib_is_refused() {
    let message = failure(|_| Answer::done(json!("x".repeat(8 * 1024 * 1024)))).await;
    assert!(
        message.starts_with("Your function's response body exceeds the maximum size limit"),
        "{message}"
    );
}
