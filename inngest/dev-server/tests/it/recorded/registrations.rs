//! Registrations: what is taken, and what is refused.

use serde_json::{Value, json};

use super::requests::{Request, post};
use crate::world::{function, payload};

fn register(name: &str, change: impl FnOnce(&mut Value)) -> Request {
    let mut app = payload(&json!([function("recorded-fn", "recorded/never", 0)]));
    app["url"] = json!("http://127.0.0.1:1/recorded");
    app["appName"] = json!("recorded");
    app["sdk"] = json!("inngest-rs:v0.1.0");
    let url = "http://127.0.0.1:1/recorded?fnId=recorded-fn&stepId=step";
    app["functions"][0]["steps"]["step"]["runtime"]["url"] = json!(url);
    change(&mut app);
    post(&format!("register: {name}"), "/fn/register", app)
}

pub(super) fn registrations() -> Vec<Request> {
    let numbered =
        |count: usize| (0..count).map(|n| json!({ "event": n.to_string() })).collect::<Value>();
    let setting =
        |key: &'static str, value: Value| move |app: &mut Value| app["functions"][0][key] = value;
    vec![
        register("good", |_| ()),
        register("no functions", |app| app["functions"] = json!([])),
        register("no name", |app| app["appName"] = json!("")),
        register("no steps", |app| app["functions"][0]["steps"] = json!({})),
        register("no triggers", |app| app["functions"][0]["triggers"] = json!([])),
        register("no id", |app| app["functions"][0]["id"] = json!("")),
        register("the same function twice", |app| {
            let twice = app["functions"][0].clone();
            app["functions"].as_array_mut().unwrap().push(twice);
        }),
        register("21 retries", |app| {
            app["functions"][0]["steps"]["step"]["retries"]["attempts"] = json!(21);
        }),
        register("a bad schedule", setting("triggers", json!([{ "cron": "* * *" }]))),
        register(
            "a bad condition",
            setting("triggers", json!([{ "event": "a", "expression": "event.data.x ==" }])),
        ),
        register("six cancellations", setting("cancel", json!(vec![json!({ "event": "a" }); 6]))),
        register(
            "a cancellation that calculates",
            setting("cancel", json!([{ "event": "a", "if": "1 + 1 == 2" }])),
        ),
        register("no limit of concurrency", setting("concurrency", json!([{ "limit": -1 }]))),
        register(
            "three concurrencies",
            setting("concurrency", json!(vec![json!({ "limit": 1 }); 3])),
        ),
        register("a debounce of no time", setting("debounce", json!({ "period": "0s" }))),
        register("a debounce of eight days", setting("debounce", json!({ "period": "8d" }))),
        register("a rate of nothing", setting("rateLimit", json!({ "limit": 0, "period": "1s" }))),
        register(
            "a throttle of nothing",
            setting("throttle", json!({ "limit": 0, "period": "1s" })),
        ),
        register(
            "a batch of one",
            setting("batchEvents", json!({ "maxSize": 1, "timeout": "1s" })),
        ),
        register(
            "a batch of 101",
            setting("batchEvents", json!({ "maxSize": 101, "timeout": "1s" })),
        ),
        register("no function id twice", |app| {
            app["functions"][0]["id"] = Value::Null;
        }),
        register("an id that is a number", setting("id", json!(5))),
        register("no function name", setting("name", json!(""))),
        register("functions that are null", |app| app["functions"] = Value::Null),
        register("functions that are an object", |app| app["functions"] = json!({})),
        register("a function that is null", |app| app["functions"] = json!([null])),
        register("an app name with a blank", |app| app["appName"] = json!("a b")),
        register("no url", |app| app["url"] = json!("")),
        register("a url that is none", |app| app["url"] = json!("::")),
        register("no sdk", |app| app["sdk"] = json!("")),
        register("a version that is a number", |app| app["v"] = json!(1)),
        register("two steps", |app| {
            let step = app["functions"][0]["steps"]["step"].clone();
            app["functions"][0]["steps"]["other"] = step;
        }),
        register("a step without a url", |app| {
            app["functions"][0]["steps"]["step"]["runtime"] = json!({ "type": "http" });
        }),
        register("a step of another kind", |app| {
            app["functions"][0]["steps"]["step"]["runtime"]["type"] = json!("ws");
        }),
        register("retries that are a text", |app| {
            app["functions"][0]["steps"]["step"]["retries"]["attempts"] = json!("3");
        }),
        register("fewer than no retries", |app| {
            app["functions"][0]["steps"]["step"]["retries"]["attempts"] = json!(-1);
        }),
        register("no event in a trigger", setting("triggers", json!([{ "event": "" }]))),
        register("an empty trigger", setting("triggers", json!([{}]))),
        register(
            "an event and a schedule in one",
            setting("triggers", json!([{ "event": "a", "cron": "* * * * *" }])),
        ),
        register("eleven triggers", setting("triggers", numbered(11))),
        register("ten triggers", setting("triggers", numbered(10))),
        register(
            "the same trigger twice",
            setting("triggers", json!([{ "event": "a" }, { "event": "a" }])),
        ),
        register(
            "an event name of 255",
            setting("triggers", json!([{ "event": "a".repeat(255) }])),
        ),
        register(
            "an event name of 256",
            setting("triggers", json!([{ "event": "a".repeat(256) }])),
        ),
        register(
            "a schedule with seconds",
            setting("triggers", json!([{ "cron": "* * * * * *" }])),
        ),
        register("a schedule by name", setting("triggers", json!([{ "cron": "@daily" }]))),
        register(
            "a schedule in a time zone",
            setting("triggers", json!([{ "cron": "TZ=Europe/Moscow 0 9 * * 1" }])),
        ),
        register(
            "a schedule in no time zone",
            setting("triggers", json!([{ "cron": "TZ=No/Where 0 9 * * 1" }])),
        ),
        register("concurrency that is a number", setting("concurrency", json!(5))),
        register(
            "a scope without a key",
            setting("concurrency", json!([{ "limit": 1, "scope": "env" }])),
        ),
        register(
            "an unknown scope",
            setting("concurrency", json!([{ "limit": 1, "scope": "x", "key": "'a'" }])),
        ),
        register(
            "a key that cannot be read",
            setting("concurrency", json!([{ "limit": 1, "key": "(" }])),
        ),
        register("an empty key", setting("concurrency", json!([{ "limit": 1, "key": "" }]))),
        register(
            "a rate of 25 hours",
            setting("rateLimit", json!({ "limit": 1, "period": "25h" })),
        ),
        register("a rate without a period", setting("rateLimit", json!({ "limit": 1 }))),
        register("a rate in ISO", setting("rateLimit", json!({ "limit": 1, "period": "PT1H" }))),
        register("a throttle without a period", setting("throttle", json!({ "limit": 1 }))),
        register(
            "a throttle of two days",
            setting("throttle", json!({ "limit": 1, "period": "2d" })),
        ),
        register(
            "a throttle of half a second",
            setting("throttle", json!({ "limit": 1, "period": "500ms" })),
        ),
        register(
            "a batch of a day",
            setting("batchEvents", json!({ "maxSize": 2, "timeout": "1d" })),
        ),
        register("a batch without a time", setting("batchEvents", json!({ "maxSize": 2 }))),
        register(
            "a batch of 11 minutes",
            setting("batchEvents", json!({ "maxSize": 2, "timeout": "11m" })),
        ),
        register("a batch and a debounce", |app| {
            app["functions"][0]["batchEvents"] = json!({ "maxSize": 2, "timeout": "5s" });
            app["functions"][0]["debounce"] = json!({ "period": "5s" });
        }),
        register("a batch and a rate", |app| {
            app["functions"][0]["batchEvents"] = json!({ "maxSize": 2, "timeout": "5s" });
            app["functions"][0]["rateLimit"] = json!({ "limit": 1, "period": "5s" });
        }),
        register("a singleton of an unknown mode", setting("singleton", json!({ "mode": "x" }))),
        register("a priority that cannot be read", setting("priority", json!({ "run": "(" }))),
        register("a priority that is a text", setting("priority", json!({ "run": "'a'" }))),
        register("an idempotency that is empty", setting("idempotency", json!(""))),
        register(
            "an idempotency that cannot be read",
            setting("idempotency", json!("event.data.x ==")),
        ),
        register("a cancellation without an event", setting("cancel", json!([{ "if": "true" }]))),
        register("a debounce without a period", setting("debounce", json!({}))),
        register("a time-out that is none", setting("timeouts", json!({ "start": "x" }))),
        register("a list for settings", setting("timeouts", json!([]))),
        post("register: no JSON", "/fn/register", "{bad"),
        register("good again", |_| ()),
    ]
}
