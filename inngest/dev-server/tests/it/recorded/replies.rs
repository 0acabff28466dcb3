//! What becomes of a run when its app answers in this way: attempts, end, and what the app is told of its step.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{App, Server, same};
use crate::fake_sdk::Answer;

const MIB: usize = 1024 * 1024;
/// What a step's result may have, without `{"data":""}` around it.
const RESULT: usize = 4 * MIB - 11;
/// What an error's message may have, without `{"error":{"name":"Error","message":""}}` around it.
const MESSAGE: usize = 4 * MIB - 39;

fn ran(data: &str) -> Answer {
    Answer::new(206, format!(r#"[{{"op":"StepRun","id":"s","name":"s","data":{data}}}]"#))
}

fn text(of: &str, times: usize) -> Answer {
    ran(&format!("\"{}\"", of.repeat(times)))
}

#[expect(clippy::needless_pass_by_value, reason = "what callers write is `json!({..})`")]
fn failed(error: Value) -> Answer {
    op(json!({ "op": "StepError", "error": error }))
}

fn op(mut op: Value) -> Answer {
    op["id"] = json!("s");
    op["name"] = json!("s");
    Answer::ops(json!([op]))
}

fn message(of: &str, times: usize) -> Answer {
    failed(json!({ "name": "Error", "message": of.repeat(times) }))
}

/// Several operations with so much text in each.
fn many(count: usize, bytes: usize) -> Answer {
    let op = |index| {
        let payload = json!({ "data": { "text": "x".repeat(bytes) } });
        let opts = json!({ "function_id": "recorded-none", "payload": payload });
        json!({ "op": "InvokeFunction", "id": if index == 0 { "s".to_owned() } else { format!("s{index}") },
            "name": "s", "opts": opts })
    };
    Answer::ops((0..count).map(op).collect())
}

fn replies() -> Vec<(&'static str, Answer)> {
    let error = json!({ "name": "Error", "message": "no" });
    let with = |field: &str, value: Value| {
        let mut error = error.clone();
        error[field] = value;
        error
    };
    let result = |status, body: &str| Answer::new(status, body);
    vec![
        // Results of steps.
        ("a result", ran("1")),
        ("no result", op(json!({ "op": "StepRun" }))),
        ("null", ran("null")),
        ("numbers", ran("[1.0,1e2,0.10,-0.0]")),
        ("a number beyond all", ran("1e400")),
        ("a whole float in an object", ran(r#"{"a":1.0}"#)),
        ("an op of the first kind", op(json!({ "op": "Step", "data": 1 }))),
        ("a kind in lower case", op(json!({ "op": "steprun", "data": 1 }))),
        ("a single op", Answer::new(206, r#"{"op":"StepRun","id":"s","name":"s","data":1}"#)),
        ("blanks around", Answer::new(206, " [{\"op\":\"StepRun\",\"id\":\"s\",\"data\":1}] \n")),
        ("the largest result", text("x", RESULT)),
        ("a result that is one byte larger", text("x", RESULT + 1)),
        ("the largest result of markup", text("<", RESULT / 6)),
        ("markup that is one larger", text("<", RESULT / 6 + 1)),
        ("the most & and >", text("&>", RESULT / 12)),
        ("one & and > more", text("&>", RESULT / 12 + 1)),
        ("the most line separators", text("\u{2028}", RESULT / 6)),
        ("one line separator more", text("\u{2028}", RESULT / 6 + 1)),
        ("the most paragraph separators", text("\u{2029}", RESULT / 6)),
        ("one paragraph separator more", text("\u{2029}", RESULT / 6 + 1)),
        ("the most of what is beside them", text("\u{2027}", RESULT / 3)),
        ("the most letters in escapes", text(r"\u0431", RESULT / 6)),
        ("one letter in escapes more", text(r"\u0431", RESULT / 6 + 1)),
        ("blanks in a result", ran(&format!("[{}1]", " ".repeat(4 * MIB)))),
        (
            "the largest result of the first kind",
            Answer::new(
                206,
                format!(r#"[{{"op":"Step","id":"s","data":"{}"}}]"#, "x".repeat(4 * MIB - 2)),
            ),
        ),
        (
            "an input over 4 MiB",
            op(json!({ "op": "StepRun", "data": 1,
            "opts": { "input": ["x".repeat(4 * MIB)] } })),
        ),
        // Failed steps.
        ("an error", failed(error.clone())),
        ("an error without a name", failed(json!({ "message": "no" }))),
        ("an error without a message", failed(json!({ "name": "E" }))),
        (
            "an error with everything",
            failed(json!({ "name": "E", "message": "m", "stack": "s",
            "data": { "a": 1.0 }, "cause": { "b": "<" }, "noRetry": true, "other": 1 })),
        ),
        ("an error that is a text", failed(json!("no"))),
        ("an error that is null", failed(Value::Null)),
        ("a message that is no text", failed(with("message", json!(5)))),
        ("an error of 1 MiB", message("x", MIB)),
        ("an error of 1 MB of markup", message("<", 1_000_000)),
        ("the largest error", message("x", MESSAGE)),
        ("an error that is one byte larger", message("x", MESSAGE + 1)),
        ("data over the limit", failed(with("data", json!("x".repeat(4 * MIB))))),
        ("a cause over the limit", failed(with("cause", json!("x".repeat(4 * MIB))))),
        ("a stack over the limit", failed(with("stack", json!("x".repeat(4 * MIB))))),
        ("an error that is final", failed(error.clone()).with("x-inngest-no-retry", "true")),
        (
            "the largest error that is final",
            message("x", MESSAGE).with("x-inngest-no-retry", "true"),
        ),
        ("a failed step", op(json!({ "op": "StepFailed", "error": error }))),
        ("a failed step without an error", op(json!({ "op": "StepFailed" }))),
        (
            "a failed step over the limit",
            op(json!({ "op": "StepFailed", "error": with("message", json!("<".repeat(800_000))) })),
        ),
        // Other operations.
        ("an unknown function", many(1, 1)),
        (
            "a model that is sent over 4 MiB",
            op(json!({ "op": "AIGateway", "opts": {
            "type": "step.ai.infer", "url": "http://127.0.0.1:1/", "format": "openai-chat",
            "body": { "text": "x".repeat(4 * MIB) } } })),
        ),
        (
            "a wait without an event",
            op(json!({ "op": "WaitForEvent", "name": "",
            "opts": { "timeout": "1s" } })),
        ),
        ("a sleep of no length", op(json!({ "op": "Sleep", "opts": { "duration": "0s" } }))),
        ("a sleep of over a year", op(json!({ "op": "Sleep", "opts": { "duration": "367d" } }))),
        ("an unknown kind", op(json!({ "op": "StepNotFound" }))),
        ("no kind", op(json!({}))),
        ("an id that is no text", Answer::ops(json!([{ "op": "StepRun", "id": 5 }]))),
        // Whole replies.
        ("just under 8 MiB in two", many(2, 4 * MIB - 200)),
        ("over 8 MiB in three", many(3, 3 * MIB)),
        ("no body", result(206, "")),
        ("a text for operations", result(206, "\"x\"")),
        ("null for operations", result(206, "null")),
        ("null among operations", result(206, "[null]")),
        ("no JSON", result(206, "[{")),
        ("a broken number", ran("1e4x")),
        ("a key twice", ran(r#"{"a":1,"a":2}"#)),
        ("half a surrogate pair", ran(r#""\ud800""#)),
        (
            "1,001 steps",
            Answer::ops(
                (0..1001)
                    .map(|n| json!({ "op": "StepPlanned", "id": n.to_string(), "name": "s" }))
                    .collect(),
            ),
        ),
        ("operations of no SDK", ran("1").without("x-inngest-sdk")),
        // Ends of the function.
        ("nothing", result(200, "")),
        ("a text", result(200, "hello")),
        ("a list", result(200, "[1.0, 2]")),
        ("an object", result(200, r#"{"b": 1.0, "a": -0.0}"#)),
        ("an object in a text", result(200, r#""{\"a\":1.0}""#)),
        ("a list in a text", result(200, r#""[1.0]""#)),
        ("a broken object in a text", result(200, r#""{a}""#)),
        ("blanks before an object", result(200, r#" {"a":1.0}"#)),
        ("204", result(204, "")),
        ("299", result(299, "1")),
        ("300", result(300, "1")),
        ("404", result(404, "1")),
        ("a result that forbids a retry", result(200, "1").with("x-inngest-no-retry", "true")),
        ("a result with a time", result(200, "1").with("retry-after", "1")),
        ("a result of no SDK", result(200, "1").without("x-inngest-sdk")),
        ("an error of no SDK", result(502, "Bad Gateway").without("x-inngest-sdk")),
        ("8 MiB", result(200, &format!("\"{}\"", "x".repeat(8 * MIB - 2)))),
        ("over 8 MiB", result(200, &format!("\"{}\"", "x".repeat(8 * MIB - 1)))),
        (
            "an error over 8 MiB",
            result(500, &json!({ "name": "E", "message": "x".repeat(8 * MIB) }).to_string()),
        ),
        (
            "an error of 5 MiB",
            result(500, &json!({ "name": "E", "message": "x".repeat(5 * MIB) }).to_string()),
        ),
        ("an error of the function", Answer::error("no")),
        ("a final error of the function", Answer::error("no").with("x-inngest-no-retry", "true")),
        ("a bare 400", result(400, r#"{"name":"E","message":"no"}"#)),
        ("no retry in capitals", Answer::error("no").with("x-inngest-no-retry", "TRUE")),
    ]
}

/// Long texts have no place in the table.
fn short(value: &Value) -> Value {
    match value {
        Value::String(text) if text.len() > 1000 => json!(format!("<{} bytes>", text.len())),
        Value::Array(items) => items.iter().map(short).collect(),
        Value::Object(fields) => {
            Value::Object(fields.iter().map(|(key, value)| (key.clone(), short(value))).collect())
        }
        value => value.clone(),
    }
}

#[tokio::test]
async fn a_run_takes_the_course_that_it_takes_on_the_official_server() {
    let server = Server::start().await;
    let replies: BTreeMap<_, _> = replies().into_iter().collect();
    let cases = replies.keys().map(|name| ((*name).to_owned(), json!({}))).collect();
    let app = App::start(&server, 1, move |case, call| match call.memo("s") {
        // More than a call can have (P-110).
        None if call.body["use_api"] == json!(true) => Answer::done(json!("to be fetched")),
        Some(memo) => Answer::done(json!({ "memo": short(memo) })),
        None => replies[case].clone(),
    })
    .await;
    // The official server writes all that they say into its traces, and stumbles over too much at a time.
    let runs = server.play(&app, cases, 8, async || ()).await;
    let answers = runs.into_iter().map(|(case, run)| {
        let mut answer = short(&run.end.unwrap_or_else(|| json!({})));
        answer["attempts"] = json!(run.attempts);
        (case, answer)
    });
    server
        .judge("replies", answers.collect(), |_, ours, theirs| match &theirs["status"] {
            // The official server never ends it. Ours says why, and ends it.
            Value::Null => ours["status"] == "Failed" || ours == theirs,
            _ => same(ours, theirs),
        })
        .await;
}
