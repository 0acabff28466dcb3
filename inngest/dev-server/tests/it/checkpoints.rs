//! Steps saved through the checkpoint API (P-192..P-196).

#![expect(clippy::needless_pass_by_value, reason = "scripts pass `json!(..)` as it is")]

use std::sync::{Arc, OnceLock};

use inngest::signing::SigningKey;
use inngest_dev_server::{DevServer, Observation};
use serde_json::{Value, json};
use url::Url;

use crate::fake_sdk::{Answer, Call};
use crate::world::{NOW, World, client, function, until};

/// The checkpoint that the call would send for `steps`.
fn body(call: &Call, steps: &Value) -> Value {
    let ctx = &call.body["ctx"];
    json!({
        "run_id": ctx["run_id"], "fn_id": ctx["fn_id"], "qi_id": ctx["qi_id"],
        "request_id": ctx["request_id"], "generation_id": ctx["generation_id"],
        "request_started_at": NOW, "ts": NOW, "steps": steps,
    })
}

fn ran(hash: &str, data: Value) -> Value {
    json!({"op": "StepRun", "id": hash, "name": hash, "displayName": hash, "data": data})
}

/// Sends a checkpoint from within a call, as an SDK does. Returns status and text.
fn post(server: &Url, body: &Value, token: Option<&str>) -> (u16, String) {
    let url = server
        .join(&format!("/v1/checkpoint/{}/async", body["run_id"].as_str().unwrap_or("x")))
        .unwrap();
    let mut request = client().post(url).body(body.to_string());
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    tokio::task::block_in_place(|| {
        tokio::runtime::Handle::current().block_on(async {
            let response = request.send().await.unwrap();
            (response.status().as_u16(), response.text().await.unwrap())
        })
    })
}

/// A world whose script can reach the server.
async fn world(script: impl Fn(&Call, &Url) -> Answer + Send + Sync + 'static) -> World {
    let server = Arc::new(OnceLock::<Url>::new());
    let known = Arc::clone(&server);
    let world = World::simple(move |call| script(call, known.get().unwrap())).await;
    server.set(world.server.url().clone()).unwrap();
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_are_saved_while_the_call_goes_on() {
    let mut world = world(|call, server| match call.memo("a") {
        None => {
            let first = post(server, &body(call, &json!([ran("a", json!(1))])), None);
            assert_eq!(first, (200, String::new()));
            // The first result stays (P-158).
            let again = json!([ran("a", json!(2)), ran("b", json!("B"))]);
            assert_eq!(post(server, &body(call, &again), None), (200, String::new()));
            Answer::sleep("0s")
        }
        Some(_) => Answer::done(json!([call.body["steps"], call.body["ctx"]["stack"]])),
    })
    .await;
    world.send().await;
    let steps = json!({"a": {"data": 1}, "b": {"data": "B"}, "nap": null});
    let stack = json!({"current": 3, "stack": ["a", "b", "nap"]});
    assert_eq!(world.end().await, Ok(json!([steps, stack])));
    assert_eq!(world.sdk.calls().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saved_step_is_observed() {
    let mut world = world(|call, server| {
        post(server, &body(call, &json!([ran("a", json!(1))])), None);
        Answer::done(json!(null))
    })
    .await;
    world.send().await;
    let result =
        until!(world, Observation::StepFinished { name, result, .. } if name == "a" => result);
    assert_eq!(result, Ok(json!(1)));
}

/// P-137: several results are fine when the run is over.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_completes_with_what_was_not_saved() {
    let mut world = world(|_, _| {
        Answer::ops(json!([
            ran("a", json!(1)),
            ran("b", json!(2)),
            {"op": "RunComplete", "id": "complete", "name": "complete", "data": {"sum": 3}},
        ]))
    })
    .await;
    world.send().await;
    assert_eq!(world.end().await, Ok(json!({"sum": 3})));
    assert_eq!(world.sdk.calls().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_saved_may_come_with_the_op_that_ends_the_call() {
    let mut world = world(|call, _| match call.memo("nap") {
        None => Answer::ops(json!([
            ran("a", json!(1)),
            ran("b", json!(2)),
            {"op": "Sleep", "id": "nap", "name": "nap", "opts": {"duration": "0s"}},
        ])),
        Some(_) => Answer::done(json!("awake")),
    })
    .await;
    world.send().await;
    assert_eq!(world.end().await, Ok(json!("awake")));
    assert_eq!(world.sdk.calls().len(), 2);
}

/// [observed on server 1.43], although its source resets the attempts.
#[tokio::test(flavor = "multi_thread")]
async fn a_saved_step_does_not_give_attempts_back() {
    let mut world = world(|call, server| {
        let saved = call.body["steps"].as_object().unwrap().len();
        let step = ran(&saved.to_string(), json!(null));
        assert_eq!(post(server, &body(call, &json!([step])), None).0, 200);
        Answer::error("again")
    })
    .await;
    world.send().await;
    world.next_retry().await;
    assert_eq!(world.failure().await, "again");
    let ctx = world.sdk.calls()[1].body["ctx"].clone();
    assert_eq!((&ctx["attempt"], &ctx["generation_id"]), (&json!(1), &json!(2)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_saved_is_refused() {
    let mut world = world(|call, server| {
        let refused = |steps: Value| post(server, &body(call, &steps), None);
        let error = json!({"name": "Error", "message": "no"});
        for (steps, status, text) in [
            (
                json!([{"op": "Sleep", "id": "s", "opts": {"duration": "1s"}}]),
                400,
                "cannot checkpoint async steps",
            ),
            (
                json!([{"op": "StepError", "id": "s", "error": error}]),
                400,
                "cannot checkpoint async steps",
            ),
            (
                json!([{"op": "StepFailed", "id": "s", "error": error}]),
                400,
                "cannot checkpoint opcode: StepFailed",
            ),
            (json!([{"op": "Nope", "id": "s"}]), 400, "invalid request body: Nope does not belong"),
            (
                json!([ran("s", json!("x".repeat(4 * 1024 * 1024)))]),
                413,
                "step s output too large: step output size is greater than the limit",
            ),
        ] {
            let (found, answer) = refused(steps.clone());
            assert_eq!(found, status, "{answer}");
            let answer: Value = serde_json::from_str(&answer).unwrap();
            assert!(answer["error"].as_str().unwrap().starts_with(text), "{answer}");
            assert_eq!(answer["status"], status);
        }
        assert_eq!(post(server, &json!({"run_id": 5}), None).0, 400);
        let other = "01M81HWXTG000G40R40M30E20A";
        assert_eq!(post(server, &json!({"run_id": other, "steps": []}), None).0, 400);
        Answer::done(call.body["steps"].clone())
    })
    .await;
    world.send().await;
    assert_eq!(world.end().await, Ok(json!({})));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_was_abandoned_gets_an_error() {
    let mut world = world(|call, server| {
        let mut checkpoint = body(call, &json!([ran("a", json!(1))]));
        checkpoint["generation_id"] = json!(7);
        // A request younger than ten seconds is not checked.
        assert_eq!(post(server, &checkpoint, None).0, 200);
        let mut unknown = checkpoint.clone();
        unknown["qi_id"] = json!("Z29uZTo6ZGVmYXVsdA==");
        let (status, answer) = post(server, &unknown, None);
        assert_eq!(status, 400);
        assert!(answer.contains("\"queue item not found\""), "{answer}");
        checkpoint["request_started_at"] = json!(NOW - 10_000);
        let (status, answer) = post(server, &checkpoint, None);
        assert_eq!(status, 409);
        assert!(
            answer.contains("stale dispatch: dispatch generation 7 does not match"),
            "{answer}"
        );
        checkpoint["qi_id"] = json!("Z29uZTo6ZGVmYXVsdA==");
        assert!(post(server, &checkpoint, None).1.contains("stale dispatch: queue item not found"));
        Answer::done(json!("done"))
    })
    .await;
    world.send().await;
    assert_eq!(world.end().await, Ok(json!("done")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signing_key_demands_a_bearer() {
    let key = SigningKey::new("7468697320697320612074657374206b6579");
    let functions = json!([function("app-fn", "app/event", 1)]);
    let script = |_: &Call| Answer::done(json!(null));
    let world = World::with(DevServer::builder(), Some(key.clone()), functions, script).await;
    let request = json!({"run_id": "01M81HWXTG000G40R40M30E20A", "steps": []});
    let token = key.api_token().unwrap();
    assert_eq!(post(world.server.url(), &request, None).0, 401);
    assert_eq!(post(world.server.url(), &request, Some(&token)).0, 400);
}

/// The SDK could not save two steps and answers both: each asks for a call, as on the real server (P-195).
#[tokio::test(flavor = "multi_thread")]
async fn unsaved_steps_of_a_checkpointing_run_are_accepted() {
    let mut world = world(|call, server| match call.memo("b") {
        None => {
            post(server, &body(call, &json!([ran("a", json!(1))])), None);
            Answer::ops(json!([ran("b", json!(2)), ran("c", json!(3))]))
        }
        Some(_) => Answer::done(json!("done")),
    })
    .await;
    world.send().await;
    assert_eq!(world.end().await, Ok(json!("done")));
}
