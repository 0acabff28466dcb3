//! The requests that call functions.

use inngest::signing::{SigningKey, SigningKeys};
use inngest_dev_server::DevServer;
use serde_json::{Value, json};

use crate::fake_sdk::{Answer, Call};
use crate::world::{NOW, World, function};

/// The body with everything that is random replaced.
fn stable(call: &Call) -> Value {
    let mut body = call.body.clone();
    for field in ["request_id", "job_id", "qi_id", "run_id"] {
        assert!(body["ctx"][field].as_str().is_some_and(|id| !id.is_empty()), "{field}");
        body["ctx"][field] = json!(format!("[{field}]"));
    }
    for pointer in ["/event/id", "/events/0/id"] {
        *body.pointer_mut(pointer).unwrap() = json!("[id]");
    }
    body
}

#[tokio::test]
async fn the_first_call_has_every_key_of_the_protocol() {
    let mut world = World::simple(|_| Answer::done(json!(null))).await;
    world.send().await;
    world.end().await.unwrap();
    let call = world.sdk.calls().remove(0);
    insta::assert_json_snapshot!(stable(&call), @r#"
    {
      "ctx": {
        "attempt": 0,
        "disable_immediate_execution": false,
        "env": "",
        "fn_id": "016c44b8-d37c-57f6-beb0-9c45c3cfa62c",
        "generation_id": 1,
        "job_id": "[job_id]",
        "max_attempts": 2,
        "qi_id": "[qi_id]",
        "request_id": "[request_id]",
        "run_id": "[run_id]",
        "stack": {
          "current": 0,
          "stack": []
        },
        "step_id": "step",
        "use_api": false
      },
      "defers": {},
      "event": {
        "data": {
          "n": 1
        },
        "id": "[id]",
        "name": "app/event",
        "ts": 1795348800250,
        "user": {}
      },
      "events": [
        {
          "data": {
            "n": 1
          },
          "id": "[id]",
          "name": "app/event",
          "ts": 1795348800250,
          "user": {}
        }
      ],
      "steps": {},
      "use_api": false,
      "version": -1
    }
    "#);
    assert_eq!(call.raw, serde_json_canonicalizer::to_vec(&call.body).unwrap());
    assert_eq!((call.function(), call.step()), ("app-fn", "step"));
    assert_eq!((call.query["a"].as_str(), call.query["b"].as_str()), ("1", "2"));
    for (name, value) in [
        ("user-agent", "Inngest"),
        ("content-type", "application/json"),
        ("accept-encoding", "gzip"),
        ("x-inngest-req-version", "-1"),
        ("x-inngest-step-id", "step"),
        ("x-inngest-generation-id", "1"),
    ] {
        assert_eq!(call.header(name), Some(value), "{name}");
    }
    for (name, field) in
        [("x-run-id", "run_id"), ("x-request-id", "request_id"), ("x-inngest-job-id", "job_id")]
    {
        assert_eq!(call.header(name), call.body["ctx"][field].as_str(), "{name}");
    }
    assert_eq!(call.header("x-inngest-signature"), None);
    assert_eq!(call.header("x-inngest-server-kind"), None);
}

#[tokio::test]
async fn calls_and_syncs_are_signed_when_there_is_a_key() {
    let key = SigningKey::new("signkey-test-7468697320697320612074657374206b6579");
    let functions = json!([function("app-fn", "app/event", 1)]);
    let answer = |_: &Call| Answer::done(json!(null));
    let mut world = World::with(DevServer::builder(), Some(key.clone()), functions, answer).await;
    world.send().await;
    world.end().await.unwrap();
    let keys = SigningKeys { primary: key, fallback: None };
    let call = world.sdk.calls().remove(0);
    let header = call.header("x-inngest-signature");
    assert!(header.unwrap().starts_with(&format!("t={}&s=", NOW / 1000)));
    assert!(keys.verify(header, &call.raw, NOW / 1000).is_ok());
    let sync = world.sdk.syncs().remove(0);
    assert!(keys.verify(sync.header("x-inngest-signature"), &sync.raw, NOW / 1000).is_ok());
    assert_eq!(sync.header("x-inngest-server-kind"), Some("cloud"));
}

#[tokio::test]
async fn state_that_is_too_large_must_be_fetched() {
    let mut world = World::simple(|call| {
        let saved = call.body["ctx"]["stack"]["stack"].as_array().unwrap().len();
        match saved {
            3 => Answer::new(500, "later").with("x-inngest-no-retry", "false"),
            saved => Answer::ran(&format!("s{saved}"), json!("x".repeat(1_500_000))),
        }
    })
    .await;
    world.send().await;
    world
        .until(|seen| {
            matches!(seen, inngest_dev_server::Observation::RetryScheduled { .. }).then_some(())
        })
        .await;
    let call = world.sdk.calls().pop().unwrap();
    assert_eq!(call.body["use_api"], true);
    assert_eq!(call.body["ctx"]["use_api"], true);
    assert_eq!(call.body["steps"], json!({}));
    assert_eq!(call.body["events"].as_array().unwrap().len(), 1);
    let run_id = call.body["ctx"]["run_id"].as_str().unwrap();
    let steps = world.get(&format!("/v0/runs/{run_id}/actions")).await;
    assert_eq!(steps.as_object().unwrap().keys().collect::<Vec<_>>(), ["s0", "s1", "s2"]);
    let batch = world.get(&format!("/v0/runs/{run_id}/batch")).await;
    assert_eq!(batch[0]["name"], "app/event");
}
