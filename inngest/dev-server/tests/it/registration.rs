//! `POST /fn/register`.

use inngest::signing::SigningKey;
use inngest_dev_server::{DevServer, Observation};
use serde_json::{Value, json};

use crate::fake_sdk::Answer;
use crate::world::{World, client, function, payload, until};

async fn world() -> World {
    World::start(json!([]), |_| Answer::done(json!(null))).await
}

async fn register(world: &World, body: impl Into<reqwest::Body>) -> (u16, Value) {
    let url = world.server.url().join("/fn/register").unwrap();
    let response = client().post(url).body(body).send().await.unwrap();
    let status = response.status().as_u16();
    (status, serde_json::from_str(&response.text().await.unwrap()).unwrap())
}

/// Registers one valid function with `changes` on top: `None` when it is accepted, else the error.
async fn problem(world: &World, changes: Value) -> Option<String> {
    let mut config = function("app-fn", "app/event", 1);
    config["steps"]["step"]["runtime"]["url"] = json!("http://localhost:3000/api/inngest");
    for (pointer, value) in changes.as_object().unwrap() {
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        let parent = config.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        if value == "DELETE" {
            parent.remove(field);
        } else {
            parent.insert(field.to_owned(), value.clone());
        }
    }
    let (status, answer) = register(world, payload(&json!([config])).to_string()).await;
    let error = answer["error"].as_str().map(str::to_owned);
    assert_eq!(status, if error.is_some() { 400 } else { 200 }, "{changes}: {answer}");
    error
}

#[tokio::test]
async fn configurations_that_the_real_server_accepts() {
    let world = world().await;
    for changes in [
        json!({}),
        json!({"/unknown": 1, "/concurrency": null, "/cancel": null, "/priority": null}),
        json!({"/triggers": []}),
        json!({"/triggers": [{"event": "a", "expression": null}]}),
        json!({"/triggers": [{"event": "inngest/function.failed",
            "expression": "event.data.function_id == 'app-fn'"}]}),
        json!({"/triggers": [{"event": "a", "expression": "event.data.n > 1 && !has(event.user)"}]}),
        json!({"/steps/step/retries/attempts": 25}),
        json!({"/steps/step/retries": "DELETE"}),
        json!({"/concurrency": 5}),
        json!({"/concurrency": [{"limit": 1}, {"limit": 2, "key": "event.data.a", "scope": "env"}]}),
        json!({"/throttle": {"limit": 0, "period": "8d"}}),
        json!({"/rateLimit": {"limit": 1, "period": "1d"}}),
        json!({"/debounce": {"period": "7d", "key": null}}),
        json!({"/batchEvents": {"maxSize": 2, "timeout": "5s"}, "/cancel": [],
            "/priority": {"run": null}, "/rateLimit": {"limit": 1, "period": "1m"}}),
        json!({"/singleton": {"mode": "skip"}}),
        json!({"/singleton": {}, "/timeouts": {}, "/priority": {}}),
        json!({"/cancel": [{"event": "a", "if": "event.data.a == async.data.a", "timeout": "1h"}]}),
        json!({"/timeouts": {"start": "10s", "finish": "1h"}}),
        json!({"/triggers": [{"cron": "TZ=Europe/Paris 0 12 * * 5"}, {"event": "a"}]}),
    ] {
        assert_eq!(problem(&world, changes.clone()).await, None, "{changes}");
    }
}

#[tokio::test]
async fn configurations_that_are_refused_name_function_and_field() {
    let world = world().await;
    for (changes, field) in [
        (json!({"/id": 5}), "`id`"),
        (json!({"/name": "DELETE"}), "`name`"),
        (json!({"/name": ""}), "`name`"),
        (json!({"/triggers": 5}), "`triggers`"),
        (json!({"/triggers": [{}]}), "`triggers[0]`"),
        (json!({"/triggers": [{"event": ""}]}), "`triggers[0]`"),
        (json!({"/triggers": [{"event": "x".repeat(256)}]}), "`triggers[0]`"),
        (json!({"/triggers": [{"event": "a"}, {"event": "a"}]}), "`triggers[1]` is a duplicate"),
        (json!({"/triggers": [{"event": "a", "cron": "* * * * *"}]}), "not both"),
        (json!({"/triggers": [{"cron": "@daily"}]}), "five fields"),
        (json!({"/triggers": [{"cron": "TZ=Nowhere * * * * *"}]}), "no time zone"),
        (json!({"/triggers": [{"cron": 5}]}), "`cron` must be a string"),
        (json!({"/triggers": [{"cron": "0 0 * * 7"}]}), "Sunday"),
        (json!({"/cancel": [{"if": "true"}]}), "`cancel.event`"),
        (json!({"/debounce": {"period": "5s", "timeout": "P1D"}}), "`debounce.timeout`"),
        (json!({"/batchEvents": {"maxSize": 2, "timeout": "5s", "if": "("}}), "`batchEvents.if`"),
        (json!({"/triggers": [{"event": "a", "expression": "event.data.x >"}]}), "ends too early"),
        (
            json!({"/triggers": [{"event": "a", "expression": "event.data.x.matches('a')"}]}),
            "matches() is not supported",
        ),
        (json!({"/steps": {}}), "`steps`"),
        (json!({"/steps/step/name": ""}), "`steps.step.name`"),
        (json!({"/steps/step/runtime/url": 5}), "`steps.step.runtime.url`"),
        (json!({"/steps/step/runtime/url": "foo"}), "`steps.step.runtime.url`"),
        (json!({"/steps/step/runtime/url": "ftp://x/"}), "`steps.step.runtime.url`"),
        (json!({"/steps/step/retries/attempts": "3"}), "`steps.step.retries.attempts`"),
        (json!({"/concurrency": [{}, {}, {}]}), "`concurrency` takes at most 2"),
        (json!({"/concurrency": {"limit": "1"}}), "`concurrency.limit`"),
        (json!({"/concurrency": {"limit": 1, "scope": null}}), "`concurrency.scope`"),
        (json!({"/concurrency": {"limit": 1, "scope": "x"}}), "`concurrency.scope`"),
        (json!({"/concurrency": {"limit": 1, "scope": "env"}}), "needs a `key`"),
        (json!({"/concurrency": {"limit": 1, "key": "("}}), "`concurrency.key`"),
        (json!({"/throttle": {"limit": 1}}), "`throttle.period`"),
        (json!({"/rateLimit": {"limit": 0, "period": "1m"}}), "`rateLimit.limit`"),
        (json!({"/rateLimit": {"limit": 1, "period": "25h"}}), "`rateLimit.period`"),
        (json!({"/debounce": {"period": "500ms"}}), "`debounce.period`"),
        (json!({"/debounce": {"period": "8d"}}), "`debounce.period`"),
        (json!({"/batchEvents": {"maxSize": 1, "timeout": "5s"}}), "`batchEvents.maxSize`"),
        (json!({"/batchEvents": {"maxSize": 2, "timeout": "1d"}}), "`batchEvents.timeout`"),
        (
            json!({"/batchEvents": {"maxSize": 2, "timeout": "5s"}, "/cancel": [{"event": "a"}]}),
            "exclude each other",
        ),
        (json!({"/singleton": {"mode": "x"}}), "`singleton.mode`"),
        (json!({"/priority": {"run": "("}}), "`priority.run`"),
        (json!({"/idempotency": ""}), "`idempotency`"),
        (json!({"/cancel": vec![json!({"event": "a"}); 6]}), "`cancel` takes at most 5"),
        (json!({"/cancel": [{"event": "a", "timeout": "P1D"}]}), "`cancel.timeout`"),
        (json!({"/timeouts": {"start": "1y"}}), "`timeouts.start`"),
        // Values of the wrong type [observed on 1.43].
        (json!({"/timeouts": []}), "`timeouts` must be an object"),
        (json!({"/throttle": {"limit": "1", "period": "1m"}}), "`throttle.limit`"),
        (json!({"/throttle": {"limit": -1, "period": "1m"}}), "`throttle.limit`"),
        (json!({"/concurrency": [[1]]}), "`concurrency` must be an object"),
        (json!({"/cancel": [["a"]]}), "`cancel` must be an object"),
        (json!({"/singleton": {"mode": null}}), "`singleton.mode`"),
        (json!({"/priority": 5}), "`priority` must be an object"),
        (json!({"/priority": {"run": 5}}), "`priority.run` must be a string"),
        (json!({"/triggers": [["a"]]}), "`triggers[0]`"),
    ] {
        let error = problem(&world, changes.clone()).await.unwrap_or_default();
        assert!(error.starts_with("At least one function is invalid: "), "{changes}: {error}");
        assert!(error.contains(field), "{changes}: {error}");
    }
}

#[tokio::test]
async fn unreadable_payloads_are_refused() {
    let world = world().await;
    for (body, error) in [
        ("{nope", "Invalid request: "),
        ("[]", "Invalid request: "),
        (r#"{"appName":"a","v":1}"#, "Invalid request: `v`"),
        (r#"{"appName":"a","functions":{}}"#, "Invalid request: `functions`"),
        (r#"{"appName":""}"#, "App ID required"),
        ("{}", "App ID required"),
    ] {
        let (status, answer) = register(&world, body).await;
        assert_eq!(status, 400, "{body}");
        assert!(answer["error"].as_str().unwrap().starts_with(error), "{body}: {answer}");
    }
}

#[tokio::test]
async fn only_a_change_is_modified() {
    let mut world = world().await;
    let (_, same) = register(&world, payload(&json!([])).to_string()).await;
    assert_eq!((&same["ok"], &same["modified"]), (&json!(true), &json!(false)));
    let mut config = function("app-new", "app/event", 1);
    config["steps"]["step"]["runtime"]["url"] = json!("http://localhost:1/");
    config["concurrency"] = json!(1);
    config["priority"] = json!({"run": "event.data.urgent ? 60 : 0"});
    config["triggers"] = json!([{"cron": "0 0 * * *", "jitter": "30s"}]);
    let (status, changed) = register(&world, payload(&json!([config])).to_string()).await;
    assert_eq!((status, &changed["modified"]), (200, &json!(true)));
    assert_eq!(changed["app_id"], same["app_id"]);
    assert_ne!(changed["sync_id"], same["sync_id"]);
    let synced = until!(world, Observation::AppSynced { functions, not_enforced, .. }
        if !functions.is_empty() => (functions, not_enforced));
    assert_eq!(
        synced,
        (
            vec!["app-new".to_owned()],
            vec!["app-new.priority".to_owned(), "app-new.jitter".to_owned()]
        )
    );
}

#[tokio::test]
async fn the_wrong_kind_of_server_is_noticed() {
    let world = world().await;
    let url = world.server.url().join("/fn/register").unwrap();
    let request = client().post(url).header("x-inngest-expected-server-kind", "cloud");
    let response = request.body(payload(&json!([])).to_string()).send().await.unwrap();
    assert_eq!(response.status(), 400);
    assert_eq!(response.headers()["x-inngest-server-kind"], "dev");
    assert_eq!(
        response.text().await.unwrap(),
        r#"{"error":"Expected server kind dev, got cloud"}"#
    );
}

#[tokio::test]
async fn a_signing_key_demands_a_bearer() {
    let key = SigningKey::new("7468697320697320612074657374206b6579");
    let answer = |_: &_| Answer::done(json!(null));
    let world = World::with(DevServer::builder(), Some(key.clone()), json!([]), answer).await;
    let url = world.server.url().join("/fn/register").unwrap();
    let attempt = async |token: Option<&str>| {
        let mut request = client().post(url.clone()).body(payload(&json!([])).to_string());
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        request.send().await.unwrap()
    };
    for token in [None, Some("wrong"), Some("")] {
        let response = attempt(token).await;
        assert_eq!(response.status(), 401, "{token:?}");
        assert_eq!(response.headers()["content-type"], "text/plain; charset=utf-8");
        assert_eq!(response.text().await.unwrap(), "Authentication failed\n");
    }
    for token in [key.api_token().unwrap().as_str(), "7468697320697320612074657374206b6579"] {
        let response = attempt(Some(token)).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["x-inngest-server-kind"], "cloud");
    }
}

#[tokio::test]
async fn the_functions_of_an_app_are_told_and_none_of_an_unknown_one() {
    let world = world().await;
    let mut config = function("app-fn", "app/event", 1);
    config["steps"]["step"]["runtime"]["url"] = json!("http://localhost:3000/api/inngest");
    register(&world, payload(&json!([config])).to_string()).await;
    let functions = async |app: &str| -> Value {
        let url = world.server.url().join(&format!("/v1/apps/{app}/functions")).unwrap();
        let text = client().get(url).send().await.unwrap().text().await.unwrap();
        serde_json::from_str(&text).unwrap()
    };
    let known = functions("app").await;
    assert_eq!((known.as_array().unwrap().len(), &known[0]["id"]), (1, &json!("app-fn")));
    assert_eq!(functions("other").await, json!([]));
}
