//! T44-T46: what a step, or the function, that fails tells the server.

use std::time::Duration;

use inngest::{Error, ResultExt as _};
use serde_json::{Value, json};

use crate::support::{Answer, body, body_with, call, dev, serving};

async fn step_failing_with(error: impl Fn() -> Error + Clone + Send + Sync + 'static) -> Answer {
    let endpoint = serving(dev(), move |step, _| {
        let error = error.clone();
        Box::pin(async move { Ok(step.run("a", async || Err::<Value, _>(error())).await?) })
    });
    call(&endpoint, &body()).await
}

#[tokio::test]
async fn t44_panics_are_errors_of_the_step_or_of_the_function() {
    let in_step = serving(dev(), |step, _| {
        Box::pin(async move {
            Ok(step.run("a", async || -> Result<Value, Error> { panic!("card {}", 42) }).await?)
        })
    });
    let answer = call(&in_step, &body()).await;
    assert_eq!(answer.ops(), [("StepError".into(), "a".into())]);
    assert_eq!(answer.no_retry(), Some("false"));
    assert_eq!(answer.json()[0]["error"]["message"], "panicked: card 42");

    let in_body = serving(dev(), |_, _| Box::pin(async { std::panic::panic_any(5_u8) }));
    let answer = call(&in_body, &body()).await;
    assert_eq!((answer.status.as_u16(), answer.no_retry()), (500, Some("false")));
    assert_eq!(answer.json()["message"], "panicked: no message");
    assert_eq!(call(&in_step, &body()).await.status, 206, "the endpoint lives on");
}

#[tokio::test]
async fn t45_the_error_of_a_step_says_when_to_try_again() {
    let retriable = step_failing_with(|| Error::from("card declined")).await;
    assert_eq!((retriable.no_retry(), retriable.header("retry-after")), (Some("false"), None));
    insta::assert_json_snapshot!(retriable.json(), @r#"
    [
      {
        "data": null,
        "displayName": "a",
        "error": {
          "message": "card declined",
          "name": "Error"
        },
        "id": "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8",
        "name": "a",
        "op": "StepError",
        "timing": {
          "a": 1700000000000000000,
          "b": 0
        },
        "userland": {
          "id": "a"
        }
      }
    ]
    "#);
    let last = step_failing_with(|| Error::from("no").no_retry()).await;
    assert_eq!((last.ops()[0].0.as_str(), last.no_retry()), ("StepError", Some("true")));
    for (delay, seconds) in [
        (Duration::from_secs(90), "90"),
        (Duration::from_millis(1500), "2"),
        (Duration::ZERO, "1"),
        (Duration::from_secs(200_000), "86400"),
    ] {
        let later = step_failing_with(move || Error::from("later").retry_after(delay)).await;
        assert_eq!(later.header("retry-after"), Some(seconds));
        assert_eq!(later.no_retry(), Some("false"));
    }
}

#[tokio::test]
async fn the_error_of_a_function_says_the_same_by_status_and_header() {
    let failing =
        |error: fn() -> Error| serving(dev(), move |_, _| Box::pin(async move { Err(error()) }));
    let retriable = call(&failing(|| Error::from("broken func")), &body()).await;
    assert_eq!((retriable.status.as_u16(), retriable.no_retry()), (500, Some("false")), "P-007");
    assert_eq!(retriable.json(), json!({ "name": "Error", "message": "broken func" }));
    let last = call(&failing(|| Err::<(), _>("no").no_retry().unwrap_err()), &body()).await;
    assert_eq!((last.status.as_u16(), last.no_retry()), (400, Some("true")));
    let later = || Error::from("later").retry_after(Duration::from_secs(4));
    let later = call(&failing(later), &body()).await;
    assert_eq!((later.status.as_u16(), later.header("retry-after")), (500, Some("4")));
}

#[tokio::test]
async fn t46_the_last_attempt_fails_like_any_other_and_the_function_may_catch_it() {
    let endpoint = serving(dev(), |step, _| {
        Box::pin(async move {
            let charge =
                step.run("charge", async || Err::<Value, _>(Error::from("declined"))).await;
            match charge {
                Ok(charge) => Ok(charge),
                Err(error) => {
                    let text = error.to_string();
                    Ok(step.run("refund", async || Ok(json!(text))).await?)
                }
            }
        })
    });
    let mut last = body();
    last["ctx"]["attempt"] = json!(3);
    assert_eq!(call(&endpoint, &last).await.ops(), [("StepError".into(), "charge".into())]);
    let caught =
        call(&endpoint, &body_with(&[("charge", json!({ "error": { "message": "declined" } }))]))
            .await;
    assert_eq!(caught.ops(), [("StepRun".into(), "refund".into())]);
    assert_eq!(caught.json()[0]["data"], "declined");
}
