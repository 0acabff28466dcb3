//! T51-T53: steps that the server carries out.

use std::time::Duration;

use inngest::{
    AiRequest, Config, Context, Endpoint, Error, EventData, Function, Result, StepError,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::support::{body, body_with, call, dev, serving};

/// An order was paid.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Paid {
    pub(crate) amount: i64,
}

impl EventData for Paid {
    const NAME: &'static str = "shop/paid";
}

/// Counts what was paid.
struct Count;

impl Function for Count {
    type Event = Paid;
    type Output = i64;
    type OnFailure = ();

    fn config() -> Config {
        Config::id("count")
    }

    async fn run(&self, cx: Context<'_, Self>) -> Result<i64> {
        Ok(cx.event.data.amount)
    }
}

/// The only op of the first call, which must be `op`.
pub(crate) async fn opts(endpoint: &Endpoint, op: &str) -> Value {
    let answer = call(endpoint, &body()).await;
    assert_eq!(answer.ops().len(), 1);
    let first = answer.json()[0].take();
    assert_eq!(
        (&first["op"], &first["name"], &first["data"]),
        (&json!(op), &json!("s"), &Value::Null)
    );
    first["opts"].clone()
}

/// Why the first call ends the run.
pub(crate) async fn refused(endpoint: &Endpoint) -> String {
    let answer = call(endpoint, &body()).await;
    assert_eq!((answer.status.as_u16(), answer.no_retry()), (400, Some("true")), "{}", answer.text);
    answer.json()["message"].as_str().unwrap().to_owned()
}

pub(crate) async fn result_with(endpoint: &Endpoint, memo: Value) -> Value {
    let answer = call(endpoint, &body_with(&[("s", memo)])).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

#[tokio::test]
async fn p134_functions_are_invoked_by_their_type() {
    let endpoint = serving(dev(), |step, _| {
        Box::pin(async move {
            let invoked =
                step.invoke::<Count>("s", &Paid { amount: 5 }).timeout(Duration::from_secs(60));
            match invoked.await {
                Ok(count) => Ok(json!(count)),
                Err(StepError { name, message, .. }) => Ok(json!([name, message])),
            }
        })
    });
    assert_eq!(
        opts(&endpoint, "InvokeFunction").await,
        json!({ "function_id": "app-count", "payload": { "data": { "amount": 5 } }, "timeout": "60s" })
    );
    assert_eq!(result_with(&endpoint, json!({ "data": 6 })).await, json!(6));
    let timeout = json!({ "error": {
        "error": "InngestInvokeTimeoutError: Timed out waiting for invoked function to complete",
        "message": "Timed out waiting for invoked function to complete", "name": "InngestInvokeTimeoutError" } });
    assert_eq!(
        result_with(&endpoint, timeout).await,
        json!(["InngestInvokeTimeoutError", "Timed out waiting for invoked function to complete"])
    );
}

/// What other functions, models and servers return is not of this program's making, and may change at any time: like an
/// event that was waited for, it is an error that can be caught.
#[tokio::test]
async fn p153_what_others_return_is_an_error_of_the_step_where_it_does_not_fit() {
    let asking = |what: &'static str| {
        serving(dev(), move |step, _| {
            Box::pin(async move {
                let failed = match what {
                    "invoke" => step.invoke::<Count>("s", &Paid { amount: 5 }).await.map(drop),
                    "infer" => {
                        let request =
                            AiRequest::new("https://x.example/", "openai-chat", &json!({}));
                        step.infer::<Vec<u8>>("s", request).await.map(drop)
                    }
                    _ => step.fetch("s", "https://x.example/y").await.map(drop),
                };
                let StepError { step_id, name, message, .. } = failed.unwrap_err();
                Ok(json!([step_id, name, message]))
            })
        })
    };
    for (what, result, reason) in [
        ("invoke", json!("six"), r#"invalid type: string "six", expected i64"#),
        ("invoke", Value::Null, "invalid type: null, expected i64"),
        ("infer", json!([1, "two"]), r#"at `[1]`: invalid type: string "two", expected u8"#),
        (
            "fetch",
            json!({ "status_code": "ok" }),
            r#"at `status_code`: invalid type: string "ok", expected u16"#,
        ),
    ] {
        assert_eq!(
            result_with(&asking(what), json!({ "data": result })).await,
            json!([
                "s",
                "UnexpectedResult",
                format!("the result of step `s` has come and does not fit: {reason}")
            ]),
            "{what}"
        );
    }
    // Uncaught it is final: asking for it once more changes nothing.
    let uncaught = serving(dev(), |step, _| {
        Box::pin(async move { Ok(json!(step.invoke::<Count>("s", &Paid { amount: 5 }).await?)) })
    });
    let answer = call(&uncaught, &body_with(&[("s", json!({ "data": "six" }))])).await;
    assert_eq!((answer.status.as_u16(), answer.no_retry()), (400, Some("true")));
    assert_eq!(answer.json()["name"], "UnexpectedResult");
}

#[tokio::test]
async fn t51_an_invoked_function_always_gets_an_object() {
    let with = |data: Value| {
        serving(dev(), move |step, _| {
            let data = data.clone();
            Box::pin(async move { Ok(step.invoke_id::<Value>("s", "other-fn", &data).await?) })
        })
    };
    let empty = json!({ "function_id": "other-fn", "payload": { "data": {} } });
    assert_eq!(opts(&with(Value::Null), "InvokeFunction").await, empty, "P-004");
    for odd in [json!([1]), json!(1), json!("text")] {
        assert!(
            refused(&with(odd))
                .await
                .contains("step `s` cannot be sent to the server: its data is no JSON object")
        );
    }
    assert!(refused(&with(json!({ "n": u64::MAX }))).await.contains("beyond 2^53"));
    let nameless = serving(dev(), |step, _| {
        Box::pin(async move { Ok(step.invoke_id::<Value>("s", "", &()).await?) })
    });
    assert!(refused(&nameless).await.contains("the id of its function is empty"));
}

#[tokio::test]
async fn t52_a_fetch_sends_json_as_text() {
    let endpoint = serving(dev(), |step, _| {
        Box::pin(async move {
            let response = step
                .fetch("s", "https://x.example/y")
                .header("a", "b")
                .json(&json!({ "n": 1 }))
                .await?;
            Ok(json!([response.status, response.body, response.json::<Value>()?]))
        })
    });
    assert_eq!(
        opts(&endpoint, "Gateway").await,
        json!({ "url": "https://x.example/y", "method": "POST", "body": "{\"n\":1}",
                "headers": { "a": "b", "Content-Type": "application/json" } })
    );
    let memo = json!({ "data": { "url": "https://x.example/y", "status_code": 201, "headers": {}, "body": "[2]" } });
    assert_eq!(result_with(&endpoint, memo).await, json!([201, "[2]", [2]]));

    let with = |url: &'static str, value: &'static str| {
        serving(dev(), move |step, _| {
            Box::pin(
                async move { Ok(json!(step.fetch("s", url).header("a", value).await?.status)) },
            )
        })
    };
    let get = opts(&with("http://x.example", "b"), "Gateway").await;
    assert_eq!(get, json!({ "url": "http://x.example", "method": "GET", "headers": { "a": "b" } }));
    for (url, value, words) in [
        ("x.example", "b", "URL"),
        ("file:///etc/passwd", "b", "not with http"),
        ("https://x.example", "b\n", "its header `a`"),
    ] {
        assert!(refused(&with(url, value)).await.contains(words));
    }
}

#[tokio::test]
async fn p135_a_model_is_asked_through_the_server() {
    let request = |body: Value| {
        AiRequest::new("https://api.openai.com/v1/chat/completions", "openai-chat", &body)
            .auth_key("sk-1")
            .header("x", "1")
    };
    let asking = move |body: Value| {
        serving(dev(), move |step, _| {
            let request = request(body.clone());
            Box::pin(async move { Ok(step.infer("s", request).await?) })
        })
    };
    let endpoint = asking(json!({ "model": "m" }));
    assert_eq!(
        opts(&endpoint, "AIGateway").await,
        json!({ "type": "step.ai.infer", "url": "https://api.openai.com/v1/chat/completions",
                "headers": { "x": "1" }, "auth_key": "sk-1", "format": "openai-chat", "body": { "model": "m" } })
    );
    assert_eq!(
        result_with(&endpoint, json!({ "data": { "choices": [] } })).await,
        json!({ "choices": [] })
    );
    assert!(refused(&asking(json!("text"))).await.contains("its body is no JSON object"));
    assert!(!format!("{:?}", request(json!({}))).contains("sk-1"), "P-024");
}

#[tokio::test]
async fn t53_more_steps_than_a_run_can_have_are_refused() {
    let endpoint = serving(dev(), |step, data| {
        Box::pin(async move {
            let count = data["n"].as_u64().unwrap_or_default();
            let all = (0..count).map(|n| step.run("item", async move || Ok::<u64, Error>(n)));
            Ok(json!(futures_util::future::try_join_all(all).await?.len()))
        })
    });
    let with = |count: u64, memo: &[(&str, Value)]| {
        let mut body = body_with(memo);
        body["event"]["data"]["n"] = json!(count);
        body
    };
    assert_eq!(call(&endpoint, &with(1000, &[])).await.ops().len(), 1000);
    let too_many = call(&endpoint, &with(1001, &[])).await;
    assert_eq!((too_many.status.as_u16(), too_many.no_retry()), (400, Some("true")));
    assert!(too_many.json()["message"].as_str().unwrap().contains("1001 steps"));
    let over = call(&endpoint, &with(1001, &[("item", json!({ "data": 0 }))])).await;
    assert_eq!(over.status, 400, "also over several calls");
}
