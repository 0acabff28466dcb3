//! One table of requests, and what the official server answered to each: the embedded server answers the same.
//!
//! `INNGEST_TEST_SERVER` has the official one asked instead, and with `INNGEST_RECORD=1` its answers are written down.

use std::collections::BTreeMap;

use http::Method;
use inngest_dev_server::DevServer;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::sdk::{official_server, recording};
use crate::world::{client, function, payload};

const ANSWERS: &str = include_str!("../recorded.json");
const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/recorded.json");

struct Request {
    name: String,
    method: Method,
    path: &'static str,
    body: String,
}

#[expect(clippy::needless_pass_by_value, reason = "what callers write is `json!({..})`")]
fn post(name: &str, path: &'static str, body: impl ToString) -> Request {
    Request { name: name.to_owned(), method: Method::POST, path, body: body.to_string() }
}

fn events(name: &str, body: impl ToString) -> Request {
    post(&format!("events: {name}"), "/e/key", body)
}

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

fn requests() -> Vec<Request> {
    let good = json!({ "name": "recorded/a", "data": {} });
    let with = |key: &str, value: Value| {
        let mut event = good.clone();
        event[key] = value;
        event
    };
    let sized = |text: &str, times: usize| with("data", json!({ "text": text.repeat(times) }));
    // Deeper ones are taken by the official server alone: no SDK in Rust could read them back.
    let nested = (0..120).fold(json!(1), |inner, _| json!([inner]));
    let setting =
        |key: &'static str, value: Value| move |app: &mut Value| app["functions"][0][key] = value;
    vec![
        events("one", &good),
        events("a list of one", json!([good])),
        events("none", "[]"),
        events("an empty body", ""),
        events("no JSON", "{bad"),
        events("a text", "\"a\""),
        events("a number", "5"),
        events("null", "null"),
        events("an empty object", "{}"),
        events("no name", json!({ "data": {} })),
        events("an empty name", with("name", json!(""))),
        events("a name that is no text", with("name", json!(5))),
        events("a name of the server's own", with("name", json!("inngest/a"))),
        events("a name of 300 characters", with("name", json!("a".repeat(300)))),
        events("no data", json!({ "name": "recorded/a" })),
        events("null for data", with("data", Value::Null)),
        events("a list for data", with("data", json!([1]))),
        events("a text for data", with("data", json!("a"))),
        events("an id", with("id", json!("recorded-1"))),
        events("an id that is a number", with("id", json!(5))),
        events("a time", with("ts", json!(1_795_348_800_250_i64))),
        events("a time before 1970", with("ts", json!(-1))),
        events("a time that is a text", with("ts", json!("2026"))),
        events("a time with a fraction", with("ts", json!(1.5))),
        events("a user", with("user", json!({ "id": "u" }))),
        events("a user that is a text", with("user", json!("u"))),
        events("a version", with("v", json!("2026-11-26"))),
        events("a version that is a number", with("v", json!(1))),
        events("a field that there is not", with("other", json!(1))),
        events("the same key twice", r#"{"name":"recorded/a","name":"recorded/b","data":{}}"#),
        events("a number without end", r#"{"name":"recorded/a","data":{"n":1e400}}"#),
        events("nested 120 deep", with("data", json!({ "a": nested }))),
        events("good, nameless, good", json!([good, { "data": {} }, good])),
        events("nameless first", json!([{ "data": {} }, good])),
        events("3 MiB", sized("x", 3 * 1024 * 1024 - 60)),
        events("over 3 MiB", sized("x", 3 * 1024 * 1024)),
        events("1 MB of markup", sized("<", 1_000_000)),
        events("a list that is followed by something", format!("[{good}] x")),
        events("an event that is followed by something", format!("{good} x")),
        post("events: a key with a space", "/e/a%20b", &good),
        post("signal: unknown", "/v1/signals", json!({ "signal": "recorded/none", "data": 1 })),
        post("signal: no name", "/v1/signals", json!({ "data": 1 })),
        post("signal: no JSON", "/v1/signals", "{bad"),
        Request {
            method: Method::GET,
            ..post("run: unknown", "/v1/runs/01HF7YAT00AAAAAAAAAAAAAAAA", "")
        },
        Request { method: Method::GET, ..post("run: no id", "/v1/runs/x", "") },
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
        post("register: no JSON", "/fn/register", "{bad"),
        register("good again", |_| ()),
    ]
}

/// The same but for the words: the embedded server says more of what it refuses, and nothing as Go's parser does.
fn same(answer: Option<&Value>, recorded: Option<&Value>) -> bool {
    let (Some(mut answer), Some(mut recorded)) = (answer.cloned(), recorded.cloned()) else {
        return false;
    };
    let said = |answer: &mut Value| answer["body"].get_mut("error").map(Value::take);
    let (ours, theirs) = (said(&mut answer), said(&mut recorded));
    let theirs = theirs.as_ref().map(|text| text.as_str().unwrap_or_default());
    let same_words = match (ours.as_ref().and_then(Value::as_str), theirs) {
        (Some(ours), Some(theirs)) => {
            let of_go = ["json: ", "invalid character "].iter().any(|go| theirs.contains(go));
            of_go || ours.starts_with(theirs)
        }
        (ours, theirs) => ours.unwrap_or_default() == theirs.unwrap_or_default(),
    };
    same_words && answer == recorded
}

/// What differs from one answer to the next has no place in the table.
fn normal(value: Value) -> Value {
    match value {
        Value::String(text) => {
            let is_ulid = text.len() == 26
                && text.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase());
            let is_uuid = text.len() == 36 && text.bytes().filter(|b| *b == b'-').count() == 4;
            Value::String(match (is_ulid, is_uuid) {
                (true, _) => "<ulid>".to_owned(),
                (_, true) => "<uuid>".to_owned(),
                _ => text,
            })
        }
        Value::Array(items) => items.into_iter().map(normal).collect(),
        Value::Object(fields) => {
            let known =
                fields.into_iter().filter(|(key, _)| !matches!(&**key, "metadata" | "modified"));
            Value::Object(known.map(|(key, value)| (key, normal(value))).collect())
        }
        value => value,
    }
}

#[tokio::test]
async fn the_embedded_server_answers_what_the_official_one_answers() {
    let stop = CancellationToken::new();
    let official = official_server();
    let embedded = match official {
        Some(_) => None,
        None => {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            Some(DevServer::builder().poll_interval(None).serve(listener, stop.clone()).unwrap())
        }
    };
    let origin = official.clone().unwrap_or_else(|| {
        let server = embedded.as_ref().unwrap();
        server.url().as_str().trim_end_matches('/').to_owned()
    });
    let mut answers = BTreeMap::new();
    for Request { name, method, path, body } in requests() {
        let sent =
            client().request(method, format!("{origin}{path}")).body(body).send().await.unwrap();
        let status = sent.status().as_u16();
        let text = sent.text().await.unwrap();
        let body = serde_json::from_str(&text).map_or_else(|_| json!(text.trim()), normal);
        let answer = json!({ "status": status, "body": body });
        assert!(answers.insert(name.clone(), answer).is_none(), "{name} is there twice");
    }
    if official.is_some() && recording() {
        std::fs::write(PATH, serde_json::to_string_pretty(&answers).unwrap() + "\n").unwrap();
    }
    if let Some(server) = embedded {
        stop.cancel();
        server.shutdown().await;
    }
    let recorded = std::fs::read_to_string(PATH).unwrap_or_else(|_| ANSWERS.to_owned());
    let recorded: BTreeMap<String, Value> = serde_json::from_str(&recorded).unwrap();
    let different: Vec<_> = requests()
        .into_iter()
        .filter(|request| !same(answers.get(&request.name), recorded.get(&request.name)))
        .map(|Request { name, .. }| {
            let shown = |answer: Option<&Value>| answer.map(Value::to_string).unwrap_or_default();
            format!(
                "{name}\n  {}\n  recorded: {}",
                shown(answers.get(&name)),
                shown(recorded.get(&name))
            )
        })
        .collect();
    assert!(different.is_empty(), "{}", different.join("\n"));
}
