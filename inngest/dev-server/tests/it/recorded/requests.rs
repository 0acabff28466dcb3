//! Requests to the APIs.

use http::Method;
use serde_json::{Value, json};

use super::registrations::registrations;
use super::{Answers, Server, answered, same};

pub(super) struct Request {
    name: String,
    method: Method,
    path: &'static str,
    body: String,
}

#[expect(clippy::needless_pass_by_value, reason = "what callers write is `json!({..})`")]
pub(super) fn post(name: &str, path: &'static str, body: impl ToString) -> Request {
    Request { name: name.to_owned(), method: Method::POST, path, body: body.to_string() }
}

fn events(name: &str, body: impl ToString) -> Request {
    post(&format!("events: {name}"), "/e/key", body)
}

/// What the official server takes, and then never gets done with; and an event that it changes without a word.
const REFUSED_HERE: [&str; 3] = [
    "events: half a surrogate pair",
    "register: a cancellation without an event",
    "register: a time-out that is none",
];
const CHECKPOINT: &str = "/v1/checkpoint/01HF7YAT00AAAAAAAAAAAAAAAA/async";
const MIB: usize = 1024 * 1024;

fn requests() -> Vec<Request> {
    let good = json!({ "name": "recorded/a", "data": {} });
    let with = |key: &str, value: Value| {
        let mut event = good.clone();
        event[key] = value;
        event
    };
    let many = |count| json!(vec![&good; count]);
    let sized_raw = |text: &str, times: usize| {
        format!(r#"{{"name":"recorded/a","data":{{"text":"{}"}}}}"#, text.repeat(times))
    };
    let sized = |text: &str, times: usize| with("data", json!({ "text": text.repeat(times) }));
    // Deeper ones are taken by the official server alone: no SDK in Rust could read them back.
    let nested = (0..120).fold(json!(1), |inner, _| json!([inner]));
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
        events("3 MiB", sized("x", 3 * MIB - 60)),
        events("over 3 MiB", sized("x", 3 * MIB)),
        events("1 MB of markup", sized("<", 1_000_000)),
        events("5,000 events", many(5_000)),
        events("5,001 events", many(5_001)),
        events("two good ones, then one over 3 MiB", json!([good, good, sized("x", 3 * MIB)])),
        events("9 MiB in four", json!(vec![sized("x", 9 * MIB / 4); 4])),
        events("3 MiB of markup", sized("<", 3 * MIB - 60)),
        events("letters in escapes", sized_raw(r"\u0431", 3 * MIB / 6 - 10)),
        events("one letter in escapes too many", sized_raw(r"\u0431", 3 * MIB / 6)),
        events("blanks around an event", format!("{}{good}", " ".repeat(3 * MIB))),
        events("blanks behind an event", format!("{good}{}", " ".repeat(3 * MIB))),
        events("good, null, good", json!([good, null, good])),
        events("good, a text", json!([good, "a"])),
        events("a list of lists", json!([[good]])),
        events("a list that does not end", format!("[{good}")),
        events("a name of the server's own in capitals", with("name", json!("INNGEST/a"))),
        events("a name of blanks", with("name", json!(" "))),
        events("a time of zero", with("ts", json!(0))),
        events("a time after 2100", with("ts", json!(4_102_444_800_001_i64))),
        events("a time in seconds", with("ts", json!(1_795_348_800))),
        events("null for a time", with("ts", Value::Null)),
        events("null for a name", with("name", Value::Null)),
        events("null for an id", with("id", Value::Null)),
        events("null for a user", with("user", Value::Null)),
        events("null for a version", with("v", Value::Null)),
        events("half a surrogate pair", r#"{"name":"recorded/a","data":{"a":"\ud800"}}"#),
        events("an integer beyond 2^53", r#"{"name":"recorded/a","data":{"a":9007199254740993}}"#),
        events("names in capitals", r#"{"NAME":"recorded/a","Data":{"a":1}}"#),
        events(
            "text that is no UTF-8, as an escape",
            "{\"name\":\"recorded/a\",\"data\":{\"a\":\"\u{fffd}\"}}",
        ),
        events("a list that is followed by something", format!("[{good}] x")),
        events("an event that is followed by something", format!("{good} x")),
        post("events: a key with a space", "/e/a%20b", &good),
        post("signal: a list", "/v1/signals", "[]"),
        post("signal: a name that is a number", "/v1/signals", json!({ "signal": 5 })),
        post("events: the wrong way to say it", "/e/key/more", &good),
        Request { method: Method::GET, ..post("events: asked for", "/e/key", "") },
        Request { method: Method::PUT, ..post("events: put", "/e/key", &good) },
        post("signal: unknown", "/v1/signals", json!({ "signal": "recorded/none", "data": 1 })),
        post("signal: no name", "/v1/signals", json!({ "data": 1 })),
        post("signal: no JSON", "/v1/signals", "{bad"),
        Request {
            method: Method::GET,
            ..post("run: unknown", "/v1/runs/01HF7YAT00AAAAAAAAAAAAAAAA", "")
        },
        Request { method: Method::GET, ..post("run: no id", "/v1/runs/x", "") },
        Request { method: Method::GET, ..post("event: no id", "/v1/events/x", "") },
        Request {
            method: Method::GET,
            ..post("event: unknown", "/v1/events/01HF7YAT00AAAAAAAAAAAAAAAA", "")
        },
        Request {
            method: Method::GET,
            ..post("runs of an event: unknown", "/v1/events/01HF7YAT00AAAAAAAAAAAAAAAA/runs", "")
        },
        Request { method: Method::GET, ..post("runs of an event: no id", "/v1/events/x/runs", "") },
        Request {
            method: Method::GET,
            ..post("state: unknown", "/v0/runs/01HF7YAT00AAAAAAAAAAAAAAAA/actions", "")
        },
        Request { method: Method::GET, ..post("events of a run: no id", "/v0/runs/x/batch", "") },
        post("no path of the event API", "/e", &good),
        post("no path of any API", "/fn/other", "{}"),
        post("no path of the first API", "/v1/other", "{}"),
        post("a slash at the end", "/e/key/", &good),
        Request { method: Method::GET, ..post("state: no id", "/v0/runs/x/actions", "") },
        Request {
            method: Method::GET,
            ..post("events of a run: unknown", "/v0/runs/01HF7YAT00AAAAAAAAAAAAAAAA/batch", "")
        },
        post("checkpoint: no JSON", CHECKPOINT, "{bad"),
        post("checkpoint: nothing", CHECKPOINT, "{}"),
        post(
            "checkpoint: an unknown run",
            CHECKPOINT,
            json!({ "run_id": "01HF7YAT00AAAAAAAAAAAAAAAA", "steps": [] }),
        ),
        post("checkpoint: a run that is none", CHECKPOINT, json!({ "run_id": "x" })),
    ]
}

#[tokio::test]
async fn the_embedded_server_answers_what_the_official_one_answers() {
    let server = Server::start().await;
    let mut answers = Answers::new();
    for Request { name, method, path, body } in requests().into_iter().chain(registrations()) {
        let answer = answered(server.ask(method, path, body).await);
        assert!(answers.insert(name.clone(), answer).is_none(), "{name} is there twice");
    }
    server
        .judge("requests", answers, |name, ours, theirs| {
            if REFUSED_HERE.contains(&name) && ours != theirs {
                return ours["status"] == 400 && theirs["status"] == 200;
            }
            // What Go cannot read is refused in another shape than what is read and wrong. Ours always names the function.
            let is_unread = theirs["body"]["error"].as_str().is_some_and(|error| {
                error.starts_with("Invalid request: ") && ours["status"] == theirs["status"]
            });
            is_unread || same(ours, theirs)
        })
        .await;
}
