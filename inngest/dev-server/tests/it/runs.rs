//! From an event to the end of its run.

use std::time::Duration;

use inngest_dev_server::Observation;
use serde_json::{Value, json};

use crate::fake_sdk::{Answer, Call};
use crate::world::{World, function, until};

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
    let finished = until!(world, Observation::StepFinished { name, result, .. } => (name, result));
    assert_eq!(finished, ("a".to_owned(), Ok(json!(7))));
    assert_eq!(world.end().await, Ok(json!(7)));
    let calls = world.sdk.calls();
    assert_eq!(calls.len(), 2);
    assert_eq!(calls[0].body["version"], -1);
    assert_eq!(calls[1].body["version"], 2);
    assert_eq!(calls[1].body["ctx"]["stack"], json!({"current": 1, "stack": ["a"]}));
}

/// P-117, P-191: the same, in answers that begin before they are known.
#[tokio::test]
async fn a_streamed_answer_is_the_one_in_its_envelope() {
    let streamed = |status: u16, headers: Value, body: Value| {
        let envelope = json!({"status": status, "headers": headers, "body": body});
        Answer::new(201, format!("   {envelope}"))
    };
    let mut world = World::simple(move |call| match (call.memo("a"), call.attempt()) {
        (None, 0) => {
            let error = json!({"name": "Error", "message": "later"});
            streamed(500, json!({"Retry-After": "90", "X-Inngest-No-Retry": "false"}), error)
        }
        (None, _) => {
            let ran = json!([{"op": "StepRun", "id": "a", "name": "a", "data": 7}]);
            streamed(206, json!({"X-Inngest-Req-Version": "2"}), ran)
        }
        // A text in place of the body is the body's.
        (Some(_), _) => streamed(200, json!({}), json!("\"5\"")),
    })
    .await;
    world.send().await;
    assert_eq!(world.next_retry().await, Duration::from_millis(89_750), "to a whole second");
    assert_eq!(world.end().await, Ok(json!("5")));
    assert_eq!(world.sdk.calls().last().unwrap().body["version"], 2);
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
    let attempts: Vec<u64> = world.sdk.calls().iter().map(Call::attempt).collect();
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

#[tokio::test]
async fn a_failure_handler_gets_what_failed() {
    let mut handler = function("app-fn-failure", "inngest/function.failed", 0);
    handler["triggers"][0]["expression"] = json!("event.data.function_id == 'app-fn'");
    let mut other = function("app-other-failure", "inngest/function.failed", 0);
    other["triggers"][0]["expression"] = json!("event.data.function_id == 'app-other'");
    let finished = function("app-finished", "inngest/function.finished", 0);
    let functions = json!([function("app-fn", "app/event", 0), handler, other, finished]);
    let mut world = World::start(functions, |call| match call.function() {
        "app-fn" => {
            Answer::new(400, json!({"name": "Error", "message": "no", "stack": "s"}).to_string())
                .with("x-inngest-no-retry", "true")
        }
        // A failure handler that fails starts no other handler.
        _ => Answer::error("handler"),
    })
    .await;
    world.send().await;
    let mut failed = Vec::new();
    while failed.len() < 3 {
        failed.push(until!(world, Observation::RunFailed { function_id, .. } => function_id));
    }
    failed.sort();
    assert_eq!(failed, ["app-finished", "app-fn", "app-fn-failure"]);

    let calls = world.sdk.calls();
    assert_eq!(calls.len(), 3);
    let call = |id: &str| calls.iter().find(|call| call.function() == id).unwrap();
    let run_id = &call("app-fn").body["ctx"]["run_id"];
    let event = &call("app-fn-failure").body["event"];
    assert_eq!((&event["id"], &event["data"]["run_id"]), (run_id, run_id));
    assert_eq!(event["data"]["function_id"], "app-fn");
    assert_eq!(event["data"]["event"], call("app-fn").body["event"]);
    assert_eq!(event["data"]["events"][0].get("user"), None);
    assert_eq!(
        event["data"]["error"],
        json!({"error": "NonRetriableError", "name": "Error", "message": "no", "stack": "s"})
    );
    assert_eq!(event["data"]["_inngest"], json!({"status": "Failed"}));
}

#[tokio::test]
async fn unknown_ids_are_answered_in_the_official_way() {
    let world = World::simple(|_| Answer::done(json!(null))).await;
    let unknown = "01M81HWYV2KTK2RAPW4NVTQ3GA";
    for (path, status, error) in [
        (format!("/v1/runs/{unknown}"), 500, format!("Unable to load function run: {unknown}")),
        ("/v1/runs/nope".to_owned(), 400, "Invalid run ID: nope".to_owned()),
        (format!("/v1/events/{unknown}"), 404, "Event not found".to_owned()),
        (
            format!("/v0/runs/{unknown}/actions"),
            410,
            format!("runtime state is no longer available for runID: {unknown}"),
        ),
    ] {
        let expected = json!({"error": error, "data": null, "status": status});
        assert_eq!(world.get(&path).await, expected, "{path}");
    }
    assert_eq!(world.get(&format!("/v1/events/{unknown}/runs")).await["data"], json!([]));
}
