//! T29, T49-T53: steps that the server carries out.

use std::time::{Duration, SystemTime};

use inngest::{AiRequest, Context, Endpoint, Error, EventData, Function, Result, StepError};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::support::{FakeApi, NOW, body, body_with, call, client, clock, dev, serving};

/// An order was paid.
#[derive(Debug, Serialize, Deserialize)]
struct Paid {
    amount: i64,
}

impl EventData for Paid {
    const NAME: &'static str = "shop/paid";
}

fn day(days: u64) -> Duration {
    Duration::from_secs(days * 86_400)
}

/// The only op of the first call, which must be `op`.
async fn opts(endpoint: &Endpoint, op: &str) -> Value {
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
async fn refused(endpoint: &Endpoint) -> String {
    let answer = call(endpoint, &body()).await;
    assert_eq!((answer.status.as_u16(), answer.no_retry()), (400, Some("true")), "{}", answer.text);
    answer.json()["message"].as_str().unwrap().to_owned()
}

async fn result_with(endpoint: &Endpoint, memo: Value) -> Value {
    let answer = call(endpoint, &body_with(&[("s", memo)])).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

fn waiting() -> Endpoint {
    serving(dev(), |step, _| {
        Box::pin(async move {
            let wait = step
                .wait_for_event::<Paid>("s")
                .matching("data.orderId")
                .when("async.data.amount > 10")
                .timeout(Duration::from_secs(3600));
            match wait.await {
                Ok(event) => {
                    Ok(json!(event.map(|event| (event.name, event.data.amount, event.ts))))
                }
                Err(error) => Ok(json!([error.step_id, error.name, error.message])),
            }
        })
    })
}

#[tokio::test]
async fn p132_a_wait_names_the_event_and_its_conditions() {
    assert_eq!(
        opts(&waiting(), "WaitForEvent").await,
        json!({
            "event": "shop/paid",
            "timeout": "3600s",
            "if": "(event.data.orderId == async.data.orderId) && (async.data.amount > 10)"
        })
    );
    let plain = serving(dev(), |step, _| {
        Box::pin(async move {
            Ok(json!(
                step.wait_for_event::<Paid>("s").timeout(Duration::from_secs(10)).await?.is_some()
            ))
        })
    });
    assert_eq!(
        opts(&plain, "WaitForEvent").await,
        json!({ "event": "shop/paid", "timeout": "10s" }),
        "P-207: exactly these"
    );
}

#[tokio::test]
async fn t29_the_event_of_a_wait_is_taken_as_it_is() {
    let event =
        json!({ "id": "1", "name": "shop/paid", "data": { "amount": 5 }, "user": {}, "ts": 7 });
    assert_eq!(result_with(&waiting(), event).await, json!(["shop/paid", 5, 7]));
    let bare = json!({ "data": { "amount": 5 } });
    assert_eq!(result_with(&waiting(), bare).await, json!(["shop/paid", 5, null]));
    let failed = json!({ "error": { "message": "m" }, "data": { "amount": 6 } });
    assert_eq!(result_with(&waiting(), failed).await[1], 6, "an event is no wrapper");
}

#[tokio::test]
async fn t50_a_wait_times_out_with_none_and_may_take_no_time() {
    assert_eq!(result_with(&waiting(), Value::Null).await, Value::Null);
    let at_once = serving(dev(), |step, _| {
        Box::pin(async move {
            let wait = step.wait_for_event::<Paid>("s").timeout(Duration::ZERO);
            Ok(json!(wait.await?.is_some()))
        })
    });
    assert_eq!(opts(&at_once, "WaitForEvent").await["timeout"], "0s");
    assert_eq!(result_with(&at_once, Value::Null).await, json!(false));
}

#[tokio::test]
async fn p107_an_event_that_does_not_fit_is_an_error_and_not_a_timeout() {
    let odd = json!({ "name": "shop/paid", "data": { "amount": "five" } });
    assert_eq!(
        result_with(&waiting(), odd).await,
        json!([
            "s",
            "UnexpectedEvent",
            "the event `shop/paid` has come and does not fit: at `amount`: invalid type: string \"five\", expected i64"
        ])
    );
}

#[tokio::test]
async fn p003_a_wait_that_the_server_would_hang_on_is_refused() {
    let too_long = serving(dev(), |step, _| {
        Box::pin(async move {
            Ok(json!(step.wait_for_event::<Paid>("s").timeout(day(367)).await?.is_some()))
        })
    });
    assert!(
        refused(&too_long)
            .await
            .contains("step `s` cannot be sent to the server: its timeout is 367 days")
    );
    for (path, condition) in [("data.order id", "true"), ("data..x", "true"), ("data.x", " ")] {
        let odd = serving(dev(), move |step, _| {
            Box::pin(async move {
                let wait = step.wait_for_event::<Paid>("s").matching(path).when(condition);
                Ok(json!(wait.await?.is_some()))
            })
        });
        assert!(refused(&odd).await.contains("step `s`"));
    }
}

#[tokio::test]
async fn t49_a_run_can_sleep_until_a_date() {
    let until = |time: SystemTime| {
        serving(dev(), move |step, _| {
            Box::pin(async move {
                step.sleep_until("s", time).await;
                Ok(json!("awake"))
            })
        })
    };
    let now = clock().now();
    assert_eq!(NOW, 1_700_000_000);
    assert_eq!(
        opts(&until(now + day(1)), "Sleep").await,
        json!({ "duration": "2023-11-15T22:13:20.500Z" })
    );
    assert_eq!(
        opts(&until(now - day(1)), "Sleep").await,
        json!({ "duration": "2023-11-13T22:13:20.500Z" })
    );
    assert_eq!(result_with(&until(now + day(1)), Value::Null).await, json!("awake"));
    assert!(refused(&until(now + day(367))).await.contains("its end is 367 days"));
}

#[tokio::test]
async fn p133_signals_are_waited_for_and_their_data_is_unpacked() {
    let endpoint = serving(dev(), |step, _| {
        Box::pin(async move {
            let wait = step.wait_for_signal::<u8>("s", "task/1").timeout(Duration::from_secs(300));
            match wait.await {
                Ok(data) => Ok(json!(data)),
                Err(error) => Ok(json!(error.name)),
            }
        })
    });
    assert_eq!(
        opts(&endpoint, "WaitForSignal").await,
        json!({ "signal": "task/1", "timeout": "300s", "conflict": "fail" })
    );
    let memo = |data: Value| json!({ "data": { "data": data, "signal": "task/1" } });
    assert_eq!(result_with(&endpoint, memo(json!(5))).await, json!(5));
    assert_eq!(result_with(&endpoint, Value::Null).await, Value::Null);
    assert_eq!(result_with(&endpoint, memo(Value::Null)).await, json!("UnexpectedSignal"));

    let replacing = serving(dev(), |step, _| {
        Box::pin(async move {
            Ok(json!(step.wait_for_signal::<Value>("s", "task/1").replacing().await?.is_some()))
        })
    });
    assert_eq!(opts(&replacing, "WaitForSignal").await["conflict"], "replace");
    assert_eq!(result_with(&replacing, memo(Value::Null)).await, json!(true), "null is data");
    let nameless = serving(dev(), |step, _| {
        Box::pin(async move { Ok(json!(step.wait_for_signal::<u8>("s", "").await?)) })
    });
    assert!(refused(&nameless).await.contains("the name of its signal is empty"));
}

#[tokio::test]
async fn p180_a_signal_is_sent_in_a_step() {
    let sending = |api: FakeApi| {
        crate::support::serving_with(client(dev(), api), |step, _| {
            Box::pin(async move {
                Ok(json!(step.send_signal("s", "task/1", &json!({ "ok": 1 })).await?))
            })
        })
    };
    let api = FakeApi::default().answer(200, r#"{"data":{"run_id":"01RUN"}}"#);
    let sent = call(&sending(api.clone()), &body()).await.json();
    assert_eq!((&sent[0]["op"], &sent[0]["data"]), (&json!("StepRun"), &json!("01RUN")));
    assert_eq!(sent[0]["opts"], json!({ "type": "step.sendSignal" }));
    let request = &api.requests()[0];
    assert_eq!(request.uri().path(), "/v1/signals");
    assert_eq!(request.body(), r#"{"data":{"ok":1},"signal":"task/1"}"#);

    let nobody =
        FakeApi::default().answer(404, r#"{"error":"No signal found","data":null,"status":404}"#);
    assert_eq!(call(&sending(nobody), &body()).await.json()[0]["data"], Value::Null);
    let refused = FakeApi::default().answer(400, r#"{"error":"no name"}"#);
    assert_eq!(call(&sending(refused), &body()).await.no_retry(), Some("true"));
    for down in [FakeApi::default().answer(503, "down"), FakeApi::default().fail("refused")] {
        let answer = call(&sending(down), &body()).await;
        assert_eq!((answer.ops()[0].0.as_str(), answer.no_retry()), ("StepError", Some("false")));
    }
}

/// Counts what was paid.
struct Count;

impl Function for Count {
    const ID: &'static str = "count";
    type Event = Paid;
    type Output = i64;

    async fn run(&self, cx: Context<'_, Paid>) -> Result<i64> {
        Ok(cx.event.data.amount)
    }
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
    let other_type = call(&endpoint, &body_with(&[("s", json!({ "data": "six" }))])).await;
    assert_eq!((other_type.status.as_u16(), other_type.no_retry()), (400, Some("true")), "P-153");
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

#[tokio::test]
async fn waits_combine_like_any_futures() {
    let endpoint = serving(dev(), |step, _| {
        Box::pin(async move {
            let waits = ["a", "b"].map(|id| step.wait_for_event::<Paid>(id));
            let all = futures_util::future::try_join_all(waits);
            let winner = tokio::select! {
                all = all => json!(all?.len()),
                () = step.sleep("nap", day(1)) => json!("nap"),
            };
            Ok(winner)
        })
    });
    let ops = call(&endpoint, &body()).await.ops();
    let mut kinds: Vec<_> = ops.iter().map(|(op, id)| format!("{op} {id}")).collect();
    kinds.sort();
    assert_eq!(kinds, ["Sleep nap", "WaitForEvent a", "WaitForEvent b"]);
    let slept = call(&endpoint, &body_with(&[("nap", Value::Null), ("a", Value::Null)])).await;
    assert_eq!(slept.json(), json!("nap"));
    let waited = [("a", Value::Null), ("b", Value::Null), ("nap", Value::Null)];
    assert_eq!(call(&endpoint, &body_with(&waited)).await.json(), json!(2));
}
