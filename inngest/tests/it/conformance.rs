//! P-206, P-207: the fixture of Inngest's conformance suite, to the byte.

#[path = "../../examples/conformance/functions.rs"]
mod functions;

use http::Method;
use serde_json::{Value, json};

use crate::support::{Answer, FakeApi, body, client, dev, hash, post, request, send};

async fn call(function: &str, event: &str, attempt: u32, memo: &[(&str, Value)]) -> Answer {
    let endpoint = functions::endpoint(client(dev(), FakeApi::default())).unwrap();
    let mut body = body();
    body["ctx"]["attempt"] = json!(attempt);
    body["event"] = json!({ "name": event, "data": { "id": 1 } });
    body["events"] = json!([body["event"]]);
    let stack: Vec<_> = memo.iter().map(|(id, _)| hash(id)).collect();
    body["ctx"]["stack"] = json!({ "stack": stack, "current": stack.len() });
    for (id, saved) in memo {
        body["steps"][hash(id)] = saved.clone();
    }
    let uri = format!("/api/inngest?fnId=test-suite-{function}&stepId=step");
    post(&endpoint, &uri, body.to_string()).await
}

/// What the suite compares of the only operation of an answer: everything else is ignored by it.
fn op(answer: &Answer) -> Value {
    assert_eq!(answer.status, 206, "{}", answer.text);
    let ops = answer.json();
    let [op] = ops.as_array().unwrap().as_slice() else { panic!("one op: {ops}") };
    let mut compared = serde_json::Map::new();
    for key in ["op", "id", "name", "opts", "data"] {
        if let Some(value) = op.get(key) {
            compared.insert(key.to_owned(), value.clone());
        }
    }
    if let Some(error) = op.get("error") {
        let no_retry = error.get("noRetry").is_some_and(|flag| flag == true);
        compared.insert("error".to_owned(), json!([error["message"], no_retry]));
    }
    Value::Object(compared)
}

#[tokio::test]
async fn p206_basic_invoke() {
    let answer = call("simple-fn", "tests/function.test", 0, &[]).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.text, r#"{"name":"tests/function.test","body":"ok"}"#);
}

#[tokio::test]
async fn p206_p207_steps_serial() {
    let (event, first) = ("tests/step.test", json!({ "data": "first step" }));
    let answer = call("step-test", event, 0, &[]).await;
    assert_eq!(
        op(&answer),
        json!({ "op": "StepRun", "id": hash("first step"), "name": "first step", "data": "first step" })
    );
    let answer = call("step-test", event, 0, &[("first step", first.clone())]).await;
    assert_eq!(
        op(&answer),
        json!({ "op": "Sleep", "id": "c3ca5f787365eae0dea86250e27d476406956478", "name": "sleep",
                "opts": { "duration": "2s" }, "data": null })
    );
    let memo = [("first step", first), ("sleep", Value::Null)];
    let answer = call("step-test", event, 0, &memo).await;
    assert!(
        answer.text.contains(r#""data":{"first":"first step","second":true}"#),
        "{}",
        answer.text
    );
    assert_eq!(op(&answer).get("opts"), None, "no `opts`, not even an empty object");

    let memo = [
        memo.as_slice(),
        &[(
            "second step",
            json!({ "data": {
        "first": "first step", "second": true } }),
        )],
    ]
    .concat();
    let answer = call("step-test", event, 0, &memo).await;
    assert_eq!(answer.text, r#"{"name":"tests/step.test","body":"ok"}"#);
}

#[tokio::test]
async fn p206_p207_retry_basic() {
    let event = "tests/retry.test";
    let answer = call("retry-test", event, 0, &[]).await;
    assert_eq!(
        op(&answer),
        json!({ "op": "StepError", "id": hash("first step"), "name": "first step", "data": null,
                "error": ["broken", false] })
    );
    assert_eq!(answer.no_retry(), Some("false"));
    let answer = call("retry-test", event, 1, &[]).await;
    assert_eq!(op(&answer)["data"], "yes: 2");

    let memo = [("first step", json!({ "data": "yes: 2" }))];
    let answer = call("retry-test", event, 0, &memo).await;
    assert_eq!((answer.status.as_u16(), answer.no_retry()), (500, Some("false")));
    assert_eq!(answer.text, r#"{"message":"broken func","name":"Error"}"#);
    let answer = call("retry-test", event, 1, &memo).await;
    assert_eq!(answer.text, r#"{"name":"tests/retry.test","body":"ok"}"#);
}

#[tokio::test]
async fn p206_p207_cancel_basic() {
    let answer = call("cancel-test", "tests/cancel.test", 0, &[]).await;
    assert_eq!(
        op(&answer),
        json!({ "op": "Sleep", "id": hash("sleep"), "name": "sleep", "opts": { "duration": "10s" },
                "data": null })
    );
}

#[tokio::test]
async fn p206_p207_wait_for_event_basic() {
    let event = "tests/wait.test";
    let answer = call("wait-for-event", event, 0, &[]).await;
    assert_eq!(
        op(&answer),
        json!({ "op": "WaitForEvent", "id": "daaad336276d15594d0e765f96c17cd746bf4971", "name": "wait",
                "opts": { "event": "test/resume", "timeout": "10s",
                          "if": "async.data.resume == true && async.data.id == event.data.id" },
                "data": null })
    );
    let resumed =
        json!({ "name": "test/resume", "id": "01E", "ts": 1, "data": { "id": 1, "resume": true } });
    let answer = call("wait-for-event", event, 0, &[("wait", resumed)]).await;
    assert_eq!(answer.text, r#"{"result":{"id":1,"resume":true}}"#);
}

/// P-208: what the suite's doctor looks at.
#[tokio::test]
async fn p206_p208_serve_introspection() {
    let api = FakeApi::default().answer(200, "{}");
    let endpoint = functions::endpoint(client(dev(), api)).unwrap();
    let get = send(&endpoint, request(Method::GET, "/api/inngest", "")).await;
    assert_eq!((get.status.as_u16(), &get.json()["function_count"]), (200, &json!(5)));

    let mut put = request(Method::PUT, "/api/inngest", r#"{"url":"http://127.0.0.1:4321"}"#);
    put.headers_mut().insert("x-inngest-sync-kind", "in_band".parse().unwrap());
    let synced = send(&endpoint, put).await.json();
    assert_eq!(synced["url"], "http://127.0.0.1:4321/");
    let function = |index: usize| synced["functions"][index].clone();
    let ids: Vec<_> = (0..5).map(|index| function(index)["id"].clone()).collect();
    assert_eq!(
        ids,
        ["simple-fn", "step-test", "retry-test", "cancel-test", "wait-for-event"]
            .map(|id| format!("test-suite-{id}"))
    );
    assert_eq!(
        function(3)["cancel"],
        json!([{ "event": "cancel/please", "if": "async.data.request_id == event.data.request_id" }])
    );
}
