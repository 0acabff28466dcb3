//! T32-T37, T54, T55: what steps and functions may return, and how they fail.

use std::collections::BTreeMap;
use std::time::Duration;

use inngest::{Error, ResultExt as _};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::support::{Answer, body, body_with, call, dev, done, serving};

/// The first call of a function with one step, `s`, that returns `output`.
async fn step_with<T>(output: T) -> Answer
where
    T: Serialize + DeserializeOwned + Clone + Send + Sync + 'static,
{
    let endpoint = serving(dev(), move |step, _| {
        let output = output.clone();
        Box::pin(async move {
            step.run("s", async || Ok(output)).await?;
            Ok(Value::Null)
        })
    });
    call(&endpoint, &body()).await
}

/// A step whose output the server could not keep fails at once, by name.
async fn assert_refused<T>(output: T, words: &str)
where
    T: Serialize + DeserializeOwned + Clone + Send + Sync + 'static,
{
    let answer = step_with(output).await;
    assert_eq!(answer.ops(), [("StepError".into(), "s".into())]);
    assert_eq!(answer.no_retry(), Some("true"));
    assert_eq!(answer.json()[0]["error"]["name"], "UnsavableData");
    let message = answer.json()[0]["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.starts_with("the result of step `s` cannot be saved: "), "{message}");
    assert!(message.contains(words), "{message}");
}

#[tokio::test]
async fn t32_integers_that_would_come_back_altered_fail_the_step() {
    for value in [json!(9_007_199_254_740_993_u64), json!(u64::MAX), json!({ "id": i64::MIN })] {
        assert_refused(value, "beyond 2^53").await;
    }
    assert_eq!(
        step_with(9_007_199_254_740_992_u64).await.json()[0]["data"],
        9_007_199_254_740_992_u64
    );
}

#[tokio::test]
async fn t33_nan_and_infinity_fail_the_step() {
    assert_refused(f64::NAN, "NaN").await;
    assert_refused(vec![f64::INFINITY], "inf").await;
}

#[tokio::test]
async fn t35_keys_that_are_neither_texts_nor_numbers_fail_the_step() {
    assert_refused(BTreeMap::from([((1, 2), 3)]), "a key that is neither text nor number").await;
    let numbers = step_with(BTreeMap::from([(u64::MAX, 2)])).await;
    assert_eq!(numbers.json()[0]["data"], json!({ "18446744073709551615": 2 }));
}

#[tokio::test]
async fn t35_maps_with_numbers_for_keys_come_back_as_they_were() {
    let endpoint = serving(dev(), |step, _| {
        Box::pin(async move {
            let sums = || BTreeMap::from([(7_u64, "a".to_owned()), (10, "b".to_owned())]);
            let saved = step.run("s", async || Ok(sums())).await?;
            Ok(json!(saved == sums()))
        })
    });
    let saved = call(&endpoint, &body()).await.json()[0]["data"].take();
    assert_eq!(call(&endpoint, &body_with(&[("s", done(saved))])).await.json(), json!(true));
}

/// Found out in the attempt that could still be mended, not in every later call.
#[tokio::test]
async fn what_could_not_be_read_back_fails_the_step() {
    #[derive(Clone, Serialize, Deserialize)]
    struct Skipped {
        #[serde(skip_serializing)]
        id: u8,
    }
    let skipped = Skipped { id: 1 };
    assert_eq!(skipped.id, 1);
    assert_refused(skipped, "it could not be read back: missing field `id`").await;
}

#[tokio::test]
async fn p063_repeated_keys_fail_the_step() {
    #[derive(Clone, Serialize, Deserialize)]
    struct Twice {
        id: u8,
        #[serde(flatten)]
        rest: BTreeMap<String, u8>,
    }
    assert_refused(
        Twice { id: 1, rest: BTreeMap::from([("id".to_owned(), 2)]) },
        "`id` occurs twice",
    )
    .await;
}

#[tokio::test]
async fn t36_an_output_over_4_mebibytes_fails_the_step_instead_of_every_attempt() {
    let limit = 4 * 1024 * 1024;
    assert_refused("x".repeat(limit + 1), "bytes of JSON; the server takes at most").await;
    assert_eq!(step_with("x".repeat(limit - 100)).await.ops()[0].0, "StepRun");
}

#[tokio::test]
async fn t37_a_result_that_cannot_be_sent_fails_the_run() {
    let returning = |value: Value| {
        serving(dev(), move |_, _| {
            let value = value.clone();
            Box::pin(async move { Ok(value) })
        })
    };
    for (value, words) in [
        (json!("x".repeat(8 * 1024 * 1024)), "bytes of JSON"),
        (json!({ "id": u64::MAX }), "beyond 2^53"),
    ] {
        let answer = call(&returning(value), &body()).await;
        assert_eq!((answer.status.as_u16(), answer.no_retry()), (400, Some("true")));
        let message = answer.json()["message"].as_str().unwrap().to_owned();
        assert!(message.starts_with("the function's result cannot be sent: "), "{message}");
        assert!(message.contains(words), "{message}");
    }
    assert_eq!(call(&returning(json!("x".repeat(7 * 1024 * 1024))), &body()).await.status, 200);
}

#[tokio::test]
async fn t54_nothing_is_null() {
    for (data, text) in [(Value::Null, "null"), (json!("{\"a\":1}"), r#""{\"a\":1}""#)] {
        let endpoint = serving(dev(), move |_, _| {
            let data = data.clone();
            Box::pin(async move { Ok(data) })
        });
        assert_eq!(call(&endpoint, &body()).await.text, text, "P-010, P-115");
    }
}

#[tokio::test]
async fn t55_a_success_says_nothing_of_retries() {
    let endpoint = serving(dev(), |_, _| {
        Box::pin(async move {
            let failed = Err::<(), _>("no").retry_after(Duration::from_secs(9));
            Ok(json!(failed.is_err()))
        })
    });
    let answer = call(&endpoint, &body()).await;
    assert_eq!((answer.status.as_u16(), answer.no_retry()), (200, None));
    assert_eq!(answer.header("retry-after"), None);
}

#[tokio::test]
async fn p119_names_and_data_of_errors_travel() {
    let declined =
        || Error::from("card declined").named("CardDeclined").with_data(json!({ "code": 5 }));
    let in_step = serving(dev(), move |step, _| {
        Box::pin(async move { Ok(step.run("s", async || Err::<Value, _>(declined())).await?) })
    });
    let error =
        json!({ "name": "CardDeclined", "message": "card declined", "data": { "code": 5 } });
    assert_eq!(call(&in_step, &body()).await.json()[0]["error"], error);
    // The same error, uncaught in the next call, keeps both.
    let uncaught = call(&in_step, &body_with(&[("s", json!({ "error": error }))])).await;
    assert_eq!((uncaught.status.as_u16(), uncaught.json()), (400, error), "P-120");
}

#[tokio::test]
async fn p108_a_failed_step_has_its_cause() {
    let endpoint = serving(dev(), |step, _| {
        Box::pin(async move {
            let failed = step.invoke_id::<Value>("s", "other-fn", &()).await.expect_err("failed");
            Ok(json!([failed.name, failed.cause, failed.data]))
        })
    });
    let error = json!({ "error": { "name": "E", "message": "m", "cause": { "message": "disk full" }, "stack": "s" } });
    let failed = body_with(&[("s", error)]);
    let answer = call(&endpoint, &failed).await;
    assert_eq!(answer.json(), json!(["E", { "message": "disk full" }, null]));
    // It is handed on where the error is not caught.
    let uncaught = serving(dev(), |step, _| {
        Box::pin(async move { Ok(step.invoke_id::<Value>("s", "other-fn", &()).await?) })
    });
    let expected = json!({ "name": "E", "message": "m", "cause": { "message": "disk full" } });
    assert_eq!(call(&uncaught, &failed).await.json(), expected);
}

#[tokio::test]
async fn a_step_has_its_own_limit_of_attempts_and_its_own_pauses() {
    let endpoint = serving(dev(), |step, _| {
        let step = step.max_attempts(3).backoff(|attempts| Duration::from_secs(10) * attempts);
        Box::pin(
            async move { Ok(step.run("s", async || Err::<Value, _>(Error::from("no"))).await?) },
        )
    });
    let attempt = async |attempt: u32| {
        let mut body = body();
        body["ctx"]["attempt"] = json!(attempt);
        let answer = call(&endpoint, &body).await;
        assert_eq!(answer.ops(), [("StepError".into(), "s".into())]);
        (answer.no_retry().unwrap().to_owned(), answer.header("retry-after").map(str::to_owned))
    };
    assert_eq!(attempt(0).await, ("false".into(), Some("10".into())));
    assert_eq!(attempt(1).await, ("false".into(), Some("20".into())));
    assert_eq!(attempt(2).await, ("true".into(), None), "the third of three");
}

/// P-105: the server counts what never reached the step as attempts too.
#[tokio::test]
async fn a_steps_own_limit_counts_its_own_failures_only() {
    let endpoint = serving(dev(), |step, data| {
        Box::pin(async move {
            if data["before"] == true {
                return Err("before the step".into());
            }
            let step = step.max_attempts(3);
            let failed = step.run("s", async || Err::<Value, _>(Error::from("no")));
            let (failed, other) = (failed.await, step.run("t", async || Ok(json!("t"))));
            Ok(json!([failed.unwrap_err().message, other.await?]))
        })
    });
    let attempt = async |run: &str, attempt: u32, before: bool| {
        let mut body = body();
        body["ctx"]["run_id"] = json!(run);
        body["ctx"]["attempt"] = json!(attempt);
        body["event"]["data"]["before"] = json!(before);
        let answer = call(&endpoint, &body).await;
        (answer.status.as_u16(), answer.no_retry().unwrap().to_owned())
    };
    // Two deliveries were lost, two failed before the step: its first failure is the first.
    assert_eq!(attempt("a", 2, true).await, (500, "false".into()));
    assert_eq!(attempt("a", 3, true).await, (500, "false".into()));
    assert_eq!(attempt("a", 4, false).await, (206, "false".into()), "the first of three");
    // Another run has a count of its own.
    assert_eq!(attempt("b", 4, false).await, (206, "false".into()), "the first of three");
    assert_eq!(attempt("a", 5, false).await, (206, "false".into()), "the second of three");
    assert_eq!(attempt("a", 6, true).await, (500, "false".into()));
    assert_eq!(attempt("a", 7, false).await, (206, "true".into()), "the third of three");
    // It is over, and would begin anew.
    assert_eq!(attempt("a", 8, false).await, (206, "false".into()));
}

/// Whatever the process has forgotten, a step is never given up too early.
#[tokio::test]
async fn a_limit_that_was_forgotten_leaves_the_end_to_the_server() {
    for attempt in 0..20 {
        let endpoint = serving(dev(), |step, _| {
            let step = step.max_attempts(3);
            Box::pin(async move {
                Ok(step.run("s", async || Err::<Value, _>(Error::from("no"))).await?)
            })
        });
        let mut body = body();
        body["ctx"]["attempt"] = json!(attempt);
        assert_eq!(call(&endpoint, &body).await.no_retry(), Some("false"), "attempt {attempt}");
    }
}

#[tokio::test]
async fn a_panic_counts_against_the_limit_too() {
    let endpoint = serving(dev(), |step, _| {
        Box::pin(async move {
            let run =
                step.max_attempts(1).run("s", async || -> Result<Value, Error> { panic!("bug") });
            Ok(run.await?)
        })
    });
    assert_eq!(call(&endpoint, &body()).await.no_retry(), Some("true"));
}
