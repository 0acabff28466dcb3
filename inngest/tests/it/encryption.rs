//! Middleware that encrypts: Inngest sees no secret, and the function sees nothing else.

use std::sync::Arc;

use inngest::middleware::Encryption;
use inngest::{App, Endpoint, Function as _, NewEvent};
use serde_json::{Value, json};

use crate::payloads::Does;
use crate::support::{Answer, FakeApi, body, body_with, call, client, dev, post};

const KEY: &str = "correct horse battery staple";
const NEW_KEY: &str = "a newer key than that one";
const SECRET: &str = "hidden-5ecret";

fn encryption() -> Encryption {
    Encryption::new(KEY).unwrap().event_field("secret")
}

struct World {
    endpoint: Endpoint,
    does: Does,
}

fn world(encryption: Encryption, api: FakeApi) -> World {
    let client = client(dev(), api).with_middleware(encryption);
    let does = Does { middleware: Vec::new(), seen: Arc::default() };
    let served = Does { middleware: Vec::new(), seen: Arc::clone(&does.seen) };
    let endpoint = App::new("app", client).function(Does::config().function(served));
    World { endpoint: endpoint.build().unwrap(), does }
}

/// The data of an event as it arrives, with its secret encrypted.
async fn event_data(encryption: Encryption, what: &str) -> Value {
    let api = FakeApi::default().answer(200, r#"{"ids":["01A"]}"#);
    let client = client(dev(), api.clone()).with_middleware(encryption);
    let data = json!({ "do": what, "secret": SECRET });
    client.send(&[NewEvent::named("demo/event.sent", data)]).await.unwrap();
    let sent: Value = serde_json::from_slice(api.requests()[0].body()).unwrap();
    assert_eq!(sent[0]["data"]["do"], what, "conditions can be about it");
    assert_eq!(sent[0]["data"]["secret"]["__ENCRYPTED__"], true);
    sent[0]["data"].clone()
}

async fn calls(world: &World, what: &str, saved: Option<Value>) -> Answer {
    let mut body = saved.map_or_else(body, |saved| body_with(&[("s", saved)]));
    body["event"]["data"] = event_data(encryption(), what).await;
    call(&world.endpoint, &body).await
}

#[tokio::test]
async fn nothing_of_a_run_shows_its_secret_and_the_function_sees_it() {
    let sends = || {
        let api = FakeApi::default().answer(200, r#"{"ids":["01A"]}"#);
        api.answer(200, r#"{"data":{"run_id":"01RUN"}}"#)
    };
    let api = sends();
    let world = world(encryption(), api.clone());
    for what in ["run", "fail", "invoke", "send", "signal", "return", "fail at the end"] {
        let answer = calls(&world, what, None).await;
        assert!(!answer.text.contains(SECRET), "{what}: {}", answer.text);
    }
    for request in api.requests() {
        assert!(!String::from_utf8_lossy(request.body()).contains(SECRET));
    }
    // Who answers these has no key.
    for what in ["fetch", "infer"] {
        assert!(calls(&world, what, None).await.text.contains(SECRET), "{what}");
    }
}

#[tokio::test]
async fn what_was_encrypted_comes_back_as_it_was() {
    let world = world(encryption(), FakeApi::default());
    let secret = json!({ "secret": SECRET });
    let ran = calls(&world, "run", None).await.json()[0]["data"].clone();
    let saved = json!({ "data": ran });
    for what in ["run", "invoke"] {
        assert_eq!(calls(&world, what, Some(saved.clone())).await.status, 200, "{what}");
    }
    let failed = calls(&world, "fail", None).await.json()[0]["error"].clone();
    assert_eq!(calls(&world, "fail", Some(json!({ "error": failed }))).await.status, 200);
    let signal = json!({ "data": { "signal": "paid", "data": ran } });
    assert_eq!(calls(&world, "wait for signal", Some(signal)).await.status, 200);
    assert_eq!(*world.does.seen.lock().unwrap(), vec![secret; 4]);
    world.does.seen.lock().unwrap().clear();

    // What a function has failed with, for its failure handler.
    let failed = calls(&world, "fail at the end", None).await.json();
    let event =
        json!({ "name": "demo/event.sent", "data": event_data(encryption(), "return").await });
    let mut body = body();
    body["event"] = json!({ "name": "inngest/function.failed", "data": {
        "function_id": "app-fn", "run_id": "01R", "error": { "message": "no" }, "event": event,
        "result": failed,
    }});
    let uri = "/api/inngest?fnId=app-fn-failure&stepId=step";
    assert_eq!(post(&world.endpoint, uri, body.to_string()).await.status, 200);
    let told = json!([{ "Ok": SECRET }, { "secret": SECRET }]);
    assert_eq!(*world.does.seen.lock().unwrap(), [told]);
}

/// The order of a rotation: read the new key, then write it, then forget the old one.
#[tokio::test]
async fn keys_are_changed_while_runs_are_under_way() {
    let old = world(encryption().with_fallback(NEW_KEY).unwrap(), FakeApi::default());
    let new = Encryption::new(NEW_KEY).unwrap().event_field("secret");
    let new = world(new.with_fallback(KEY).unwrap(), FakeApi::default());
    for (writes, reads) in [(&old, &new), (&new, &old)] {
        let ran = calls(writes, "run", None).await.json()[0]["data"].clone();
        assert_eq!(calls(reads, "run", Some(json!({ "data": ran }))).await.status, 200);
    }

    let other = Encryption::new(NEW_KEY).unwrap().only_decrypt();
    let other = world(other, FakeApi::default());
    let answer = calls(&other, "run", None).await;
    assert_eq!((answer.status.as_u16(), answer.no_retry()), (500, Some("false")));
    let reason = "the data of event `demo/event.sent` cannot be read: field `secret`: no key of this app decrypts it; \
                  give the key of its sender as a fallback to `Encryption`";
    assert_eq!(answer.json()["message"], reason);
}

#[tokio::test]
async fn what_is_plain_is_read_and_nothing_is_encrypted_where_it_was_said() {
    let world = world(encryption().only_decrypt(), FakeApi::default());
    let mut body = body_with(&[("s", json!({ "data": { "secret": 1 } }))]);
    body["event"]["data"] = json!({ "do": "run", "secret": SECRET });
    assert_eq!(call(&world.endpoint, &body).await.json(), json!({ "secret": 1 }));
}

/// `null` is what a function without a result returns, and an object is what an event must be.
#[tokio::test]
async fn nothing_and_objects_stay_what_they_are() {
    let api = FakeApi::default().answer(200, r#"{"data":{"run_id":null}}"#);
    let world = world(encryption(), api);
    let signalled = calls(&world, "signal", None).await.json();
    assert_eq!(signalled[0]["data"], Value::Null);
    let invoked = calls(&world, "invoke", None).await.json();
    let data = &invoked[0]["opts"]["payload"]["data"];
    assert_eq!(data["secret"]["__STRATEGY__"], "inngest-rs/aes-256-gcm", "{data}");
}
