//! T26-T31: what the server remembers, in every shape.

use serde_json::{Value, json};

use crate::support::{body_with, call, dev, serving};

/// A function whose only step `a` yields any JSON.
fn value_step() -> inngest::Endpoint {
    serving(dev(), |step, _| {
        Box::pin(async move {
            Ok(step.run("a", async || Ok::<Value, inngest::Error>(json!("executed"))).await?)
        })
    })
}

async fn result_of(memo: Value) -> Value {
    let answer = call(&value_step(), &body_with(&[("a", memo)])).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

#[tokio::test]
async fn t26_null_is_a_result() {
    assert_eq!(result_of(json!({ "data": null })).await, Value::Null);
    assert_eq!(result_of(Value::Null).await, Value::Null);
    let unit = serving(dev(), |step, _| {
        Box::pin(async move {
            step.run("a", async || Ok::<(), inngest::Error>(())).await?;
            step.sleep("nap", std::time::Duration::from_secs(1)).await;
            Ok(json!("done"))
        })
    });
    let memo = body_with(&[("a", json!({ "data": null })), ("nap", Value::Null)]);
    assert_eq!(call(&unit, &memo).await.json(), json!("done"));
}

#[tokio::test]
async fn t27_a_failed_step_is_an_error_that_can_be_caught() {
    let failed = json!({ "error": { "message": "m" } });
    let uncaught = call(&value_step(), &body_with(&[("a", failed.clone())])).await;
    assert_eq!((uncaught.status.as_u16(), uncaught.no_retry()), (400, Some("true")), "P-120");
    assert_eq!(uncaught.json(), json!({ "name": "Error", "message": "m" }));

    let catches = serving(dev(), |step, _| {
        Box::pin(async move {
            let a = step.run("a", async || Ok::<Value, inngest::Error>(json!(1))).await;
            let error = a.expect_err("the memo says so");
            Ok(json!([error.step_id, error.name, error.message, error.data]))
        })
    });
    let caught = async |memo: Value| call(&catches, &body_with(&[("a", memo)])).await.json();
    assert_eq!(caught(failed).await, json!(["a", "Error", "m", null]));
    let full = json!({ "error": { "name": "CardDeclined", "message": "no", "stack": "s", "data": { "code": 5 },
                                  "noRetry": true, "cause": {} } });
    assert_eq!(caught(full).await, json!(["a", "CardDeclined", "no", { "code": 5 }]));
    assert_eq!(
        caught(json!({ "error": {} })).await,
        json!(["a", "Error", "step `a` failed", null])
    );
    assert_eq!(caught(json!({ "error": "text" })).await, json!(["a", "Error", "\"text\"", null]));
}

#[tokio::test]
async fn t28_only_the_servers_own_layer_is_taken_off() {
    assert_eq!(result_of(json!({ "data": { "data": 1 } })).await, json!({ "data": 1 }));
    let looks_failed = json!({ "error": { "message": "mine" } });
    assert_eq!(result_of(json!({ "data": looks_failed.clone() })).await, looks_failed);
    assert_eq!(result_of(json!({ "data": { "input": [1] } })).await, json!({ "input": [1] }));
}

#[tokio::test]
async fn t30_a_rerun_executes_and_unknown_shapes_are_taken_as_they_are() {
    let rerun = call(&value_step(), &body_with(&[("a", json!({ "input": [1] }))])).await;
    assert_eq!(rerun.ops(), [("StepRun".into(), "a".into())]);
    assert_eq!(rerun.json()[0]["data"], "executed");
    for raw in [json!({}), json!({ "foo": 1 }), json!(5), json!([1]), json!("text")] {
        assert_eq!(result_of(raw.clone()).await, raw);
    }
}

#[tokio::test]
async fn t31_a_result_of_another_type_ends_the_run_and_names_the_step() {
    let typed = serving(dev(), |step, _| {
        Box::pin(async move {
            let all: Vec<u8> = step.run("sizes", async || Ok(vec![1])).await?;
            Ok(json!(all))
        })
    });
    let answer = call(&typed, &body_with(&[("sizes", json!({ "data": [1, "two"] }))])).await;
    assert_eq!((answer.status.as_u16(), answer.no_retry()), (400, Some("true")));
    insta::assert_snapshot!(answer.json()["message"].as_str().unwrap(), @r#"the saved result of step `sizes` does not fit the type the code asks for: at `[1]`: invalid type: string "two", expected u8; the code has changed since the step ran, or two steps share this id"#);
}

#[tokio::test]
async fn a_type_that_does_not_fit_cannot_be_swallowed_by_the_function() {
    let swallows = serving(dev(), |step, _| {
        Box::pin(async move {
            let n = step.run("n", async || Ok::<u8, inngest::Error>(1)).await;
            Ok(json!(n.unwrap_or(42)))
        })
    });
    let answer = call(&swallows, &body_with(&[("n", json!({ "data": "text" }))])).await;
    assert_eq!(answer.status, 400, "a wrong type is no failed step: {}", answer.text);
}
