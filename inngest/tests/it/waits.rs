//! T29, T49, T50: pauses, waits and signals.

use std::time::{Duration, SystemTime};

use inngest::{Endpoint, Expression};
use serde_json::{Value, json};

use crate::asks::{Paid, opts, refused, result_with};
use crate::support::{FakeApi, NOW, body, body_with, call, client, clock, dev, serving};

fn day(days: u64) -> Duration {
    Duration::from_secs(days * 86_400)
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
            "if": "(event.data.orderId == async.data.orderId && async.data.orderId != null) && (async.data.amount > 10)"
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
async fn a_condition_has_its_values_as_literals_or_the_run_ends_and_says_why() {
    type Condition = fn() -> Expression;
    let with = |condition: Condition| {
        serving(dev(), move |step, _| {
            Box::pin(async move {
                let wait = step.wait_for_event::<Paid>("s").matching("data.orderId");
                Ok(json!(wait.when(condition()).await?.is_some()))
            })
        })
    };
    let injected = with(|| Expression::new("async.data.id == $id // :").with("id", "x' || true"));
    assert_eq!(
        opts(&injected, "WaitForEvent").await["if"],
        "(event.data.orderId == async.data.orderId && async.data.orderId != null) && \
         (async.data.id == \"x' || true\" // :\n)"
    );
    let conditions: [(Condition, &str); 4] = [
        (
            || "async.data.id ==".into(),
            "step `s` cannot be sent to the server: its condition `async.data.id ==` is no expression: it ends where a value is missing",
        ),
        (|| "".into(), "its condition `` is no expression: it is empty"),
        (|| "async.data.id == $id".into(), "`$id` has no value; give it one with `with`"),
        (
            || Expression::new("async.data.id == $id").with("id", "a\nb"),
            "can never hold: a text in it has quotes, backslashes",
        ),
    ];
    for (condition, reason) in conditions {
        let refused = call(&with(condition), &body()).await;
        assert_eq!((refused.status.as_u16(), refused.no_retry()), (400, Some("true")));
        assert!(refused.text.replace("\\\"", "\"").contains(reason), "{}", refused.text);
    }
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

    let unheard =
        FakeApi::default().answer(404, r#"{"error":"No signal found","data":null,"status":404}"#);
    assert_eq!(call(&sending(unheard), &body()).await.json()[0]["data"], Value::Null);
    let refused = FakeApi::default()
        .answer(400, r#"{"error":"Invalid signal data","data":null,"status":400}"#);
    assert_eq!(call(&sending(refused), &body()).await.no_retry(), Some("true"));
    for down in [
        FakeApi::default().answer(503, "down"),
        FakeApi::default().fail("refused"),
        // What stands before Inngest does not know whether a run waits.
        FakeApi::default().answer(404, "<h1>Not Found</h1>"),
        FakeApi::default().answer(404, r#"{"message":"no Route matched"}"#),
        FakeApi::default().answer(413, "<h1>Request Entity Too Large</h1>"),
    ] {
        let answer = call(&sending(down), &body()).await;
        assert_eq!((answer.ops()[0].0.as_str(), answer.no_retry()), ("StepError", Some("false")));
    }
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
