//! P-189: what middleware refuses does not leave, and what it cannot open ends the call.

use std::sync::Arc;

use inngest::middleware::{Middleware, Payload, PayloadKind};
use inngest::{App, NewEvent, Result, Retry, SendError, SignalError};
use serde_json::value::to_raw_value;
use serde_json::{Value, json};

use super::payloads::{Does, Refuse, World, refusing, secret};
use crate::support::{FakeApi, body, body_with, call, client, dev};

async fn told(world: &World, what: &str, saved: Option<Value>) -> (u16, String, Option<String>) {
    let mut body = saved.map_or_else(body, |saved| body_with(&[("s", saved)]));
    body["event"]["data"] = json!({ "do": what, "secret": 5 });
    let answer = call(&world.endpoint, &body).await;
    let json = answer.json();
    let error = json.pointer("/0/error").unwrap_or(&json);
    assert!(!answer.text.contains("\"secret\""), "{}", answer.text);
    let message = error["message"].as_str().unwrap_or_default().to_owned();
    (answer.status.as_u16(), message, answer.no_retry().map(str::to_owned))
}

#[tokio::test]
async fn p189_what_middleware_refuses_does_not_leave() {
    type Refuses = fn(&PayloadKind<'_>) -> bool;
    let cases: [(&str, Refuses, u16, &str); 8] = [
        ("run", |k| matches!(k, PayloadKind::Step { .. }), 206, "the result of step `s`"),
        (
            "fail",
            |k| matches!(k, PayloadKind::ErrorData { .. }),
            206,
            "the data of the error of step `s`",
        ),
        ("return", |k| matches!(k, PayloadKind::Output), 500, "the function's result"),
        (
            "invoke",
            |k| matches!(k, PayloadKind::Invoke { .. }),
            500,
            "the data of the invocation `s`",
        ),
        ("fetch", |k| matches!(k, PayloadKind::Fetch { .. }), 500, "the body of the request `s`"),
        ("infer", |k| matches!(k, PayloadKind::Infer { .. }), 500, "the body of the request `s`"),
        (
            "send",
            |k| matches!(k, PayloadKind::Event { name: "shop/sent" }),
            206,
            "the data of event `shop/sent`",
        ),
        ("signal", |k| matches!(k, PayloadKind::Signal { .. }), 206, "the data of signal `paid`"),
    ];
    for (what, refuses, status, payload) in cases {
        let text = format!("{payload} cannot be sent: no key");
        let world = refusing(Refuse(refuses, Retry::Backoff), FakeApi::default());
        // A step that fails for good does so, whatever becomes of its data.
        let retried = if what == "fail" { "true" } else { "false" };
        assert_eq!(
            told(&world, what, None).await,
            (status, text.clone(), Some(retried.to_owned())),
            "{what}"
        );
        let world = refusing(Refuse(refuses, Retry::Never), FakeApi::default());
        let status = if status == 500 { 400 } else { status };
        assert_eq!(told(&world, what, None).await, (status, text, Some("true".to_owned())));
        assert!(world.api.requests().is_empty(), "{what}");
    }
}

#[tokio::test]
async fn p189_what_cannot_be_opened_ends_the_call_and_cannot_be_caught() {
    let step =
        |kind: &PayloadKind<'_>| !matches!(kind, PayloadKind::Event { name: "demo/event.sent" });
    let error = json!({ "error": { "message": "no", "data": 1 } });
    let event = json!({ "name": "shop/paid", "data": { "x": 5 } });
    let signal = json!({ "data": { "signal": "paid", "data": 5 } });
    for (what, saved, payload) in [
        ("run", json!({ "data": 1 }), "the result of step `s`"),
        ("invoke", json!({ "data": 1 }), "the result of step `s`"),
        ("fail", error, "the data of the error of step `s`"),
        ("wait", event, "the data of event `shop/paid`"),
        ("wait for signal", signal, "the data of signal `paid`"),
    ] {
        for (retry, status) in [(Retry::Backoff, 500), (Retry::Never, 400)] {
            let world = refusing(Refuse(step, retry), FakeApi::default());
            let (answered, text, no_retry) = told(&world, what, Some(saved.clone())).await;
            assert_eq!((answered, text), (status, format!("{payload} cannot be read: no key")));
            assert_eq!(no_retry.as_deref(), Some(if status == 400 { "true" } else { "false" }));
            assert!(world.seen.lock().unwrap().is_empty());
        }
    }
    let world = refusing(Refuse(|_| true, Retry::Backoff), FakeApi::default());
    let (status, text, _) = told(&world, "return", None).await;
    let expected = "the data of event `demo/event.sent` cannot be read: no key";
    assert_eq!((status, text.as_str()), (500, expected));
}

#[tokio::test]
async fn p189_a_client_says_what_it_withholds() {
    let client = client(dev(), FakeApi::default()).with_middleware(Refuse(|_| true, Retry::Never));
    let sent = client.send(&[NewEvent::named("shop/sent", secret())]).await;
    let reason = "the data of event `shop/sent` cannot be sent: no key".to_owned();
    assert_eq!(sent, Err(SendError::Withheld { reason, retry: Retry::Never }));
    let sent = client.send_signal("paid", &secret()).await;
    let reason = "the data of signal `paid` cannot be sent: no key".to_owned();
    assert_eq!(sent, Err(SignalError::Withheld { reason, retry: Retry::Never }));
}

/// What middleware puts in place of something is checked like what was there.
#[tokio::test]
async fn p189_what_middleware_makes_is_checked() {
    struct Grow;
    impl Middleware for Grow {
        fn outgoing(&self, payload: &mut Payload<'_>) -> Result<()> {
            payload.replace(to_raw_value(&"x".repeat(9_000_000))?);
            Ok(())
        }
    }
    let client = client(dev(), FakeApi::default()).with_middleware(Grow);
    let does = Does { middleware: Vec::new(), seen: Arc::default() };
    let endpoint = App::new("app", client).function(does).build().unwrap();
    let world = World { endpoint, api: FakeApi::default(), seen: Arc::default() };
    for (what, status, text) in [
        ("run", 206, "the result of step `s` cannot be saved: it has 9000002 bytes"),
        ("return", 400, "the function's result cannot be sent: it has 9000002 bytes"),
        ("invoke", 206, "the data of the invocation `s` cannot be sent: it has 9000002 bytes"),
        ("fetch", 206, "the body of the request `s` cannot be sent: it has 9000006 bytes"),
    ] {
        let (answered, message, no_retry) = told(&world, what, None).await;
        assert_eq!((answered, no_retry.as_deref()), (status, Some("true")), "{what}");
        assert!(message.starts_with(text), "{what}: {message}");
    }
}
