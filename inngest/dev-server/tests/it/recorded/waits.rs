//! Conditions of waits: which event they take, and which of them fail the run.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use ulid::Ulid;

use super::{App, Server};
use crate::fake_sdk::Answer;

/// What a registration was refused or taken with.
const EXPRESSIONS: &str = include_str!("../../../../tests/expressions.txt");

/// Asked of the data below.
const MORE: [&str; 115] = [
    "has(async.data.id)",
    "!has(async.data.missing)",
    "event.data.missing[0] == 1",
    "event.data.list[9] == 1",
    "async.data.x.y[0] == 1",
    "async.data.missing.contains('a')",
    "async.data.missing.size() == 0",
    "async.data.n + 1 == 6",
    "event.data.missing < 1",
    "event.data.missing > -1",
    "event.data.missing != async.data.missing",
    "async.data.missing != event.data.missing",
    "event.data.map == async.data.map",
    "event.data.list == async.data.list",
    "event.data.n == 5 || event.data.text > 5",
    "event.data.yes ? event.data.n + 1 == 6 : true",
    "event.data.missing + 1 == 1",
    "event.data.missing.size() == 0 || true",
    "event.data.missing == async.data.id",
    "true",
    "event.data.n == 5",
    "event.data.n == async.data.n",
    "event.data.half < 1",
    r#"event.data.text == "it's""#,
    "event.data.text == async.data.text",
    "async.data.id == 'x'",
    r#"async.data.id == "x""#,
    "async.data.id == 'y'",
    "async.data.id == event.data.id",
    "async.data.missing == event.data.missing",
    "async.data.missing == event.data.n",
    "async.data.n == 5",
    "async.data.n == 5.0",
    "async.data.n == 4",
    "async.data.n > 4",
    "async.data.n > event.data.n",
    "async.data.n >= event.data.n && async.data.id == 'x'",
    "async.data.id == 'y' || async.data.n == 5",
    "async.data.id == 'x' && event.data.no",
    "async.data.id == 'x' && event.data.missing",
    "!(async.data.id == 'y')",
    "!async.data.missing",
    "async.data.yes",
    "async.data.yes == true",
    "async.data.yes == event.data.yes",
    "async.data.nil == null",
    "async.data.nil == event.data.nil",
    "async.data.missing == null",
    "async.data.missing != null",
    "async.data.missing != 'a'",
    "async.data.missing > 1",
    "async.data.missing < 1",
    "async.data.missing || true",
    "async.data.missing.deeper == null",
    "async.data.list == ['a']",
    "async.data.list[0] == 'a'",
    "async.data.list[0] == event.data.list[0]",
    "async.data.list[5] == 'a'",
    "'a' in async.data.list",
    "async.data.id in event.data.list",
    "async.data.id in ['x', 'y']",
    "event.data.n + 1 == 6",
    "event.data.n + 1.0 == 6.0",
    "async.data.n + 1.0 == 6.0",
    "int(event.data.n) + 1 == 6",
    "'n' + 5 == 'n5'",
    "7 / 2 == 3",
    "7 % 0 == 1",
    "event.data.half * 2.0 == 1.0",
    "size(event.data.list) == 2",
    "size(event.data.missing) == 0",
    "event.data.text.size() == 4",
    "has(event.data.n)",
    "has(event.data.missing)",
    "has(async.data.id) && !has(async.data.missing)",
    "event.data.n > 3 ? async.data.yes : false",
    "event.data['a-b'] == 1",
    "event.data.map.k == 'v'",
    "event.data.map == {'k': 'v'}",
    "event.data.text.startsWith('it')",
    "async.data.id.contains('x')",
    "async.data.n.contains('x')",
    "async.data.id.matches('x+')",
    "uppercase(async.data.id) == 'X'",
    "lowercase('A') == 'a'",
    "string(event.data.n) == '5'",
    "int('5') == event.data.n",
    "double('0.5') == event.data.half",
    "event.data.big == 3000000000",
    "event.data.n == '5'",
    "event.data.text > 5",
    "event.data.empty == ''",
    "event.data.empty == async.data.missing",
    "event.data.none == []",
    "event.data.n",
    "event.data.text",
    "event.name == async.name",
    "event.ts < async.ts",
    "event.id == async.id",
    "async.user.id == event.user.id",
    "event.v == async.v",
    "async.data.id == b64decode('eA==')",
    "async.data.text == b64decode('aXQncw==')",
    r"async.data.text == 'it\'s'",
    r#"async.data.text == "it's" && event.data.n == 5"#,
    "async.data.n == event.data.n || async.data.id == event.data.text",
    "event.data.n == 5 || async.data.missing.deeper.still == 1",
    "r'a' == 'a' && async.data.id == 'x'",
    "async.data.id == 'x' // and more",
    "event == async",
    "event.data == async.data",
    "async.data.list.exists(x, x == 'a')",
    "date(async.ts) > date(event.ts)",
    "async.data.id == 1 ? true : true",
    "false",
];

fn data() -> Value {
    json!({
        "n": 5, "half": 0.5, "text": "it's", "list": ["a", 2], "map": { "k": "v" }, "nil": null,
        "yes": true, "no": false, "a-b": 1, "empty": "", "none": [], "big": 3_000_000_000_u32,
    })
}

fn said() -> Value {
    json!({ "n": 5.0, "id": "x", "text": "it's", "list": ["a"], "nil": null, "yes": true })
}

#[tokio::test]
async fn a_condition_takes_the_events_that_the_official_server_takes() {
    let server = Server::start().await;
    let awaited = format!("recorded/said-{}", Ulid::generate());
    let waits_for = awaited.clone();
    let app = App::start(&server, 0, move |condition, call| match call.memo("s") {
        Some(memo) => Answer::done(json!({ "woken": !memo.is_null() })),
        None => {
            let opts = json!({ "event": waits_for, "timeout": "3s", "if": condition });
            Answer::ops(json!([{ "op": "WaitForEvent", "id": "s", "name": "s", "opts": opts }]))
        }
    })
    .await;
    let known = EXPRESSIONS.lines().filter(|line| !line.starts_with('#'));
    let known = known.filter_map(|line| serde_json::from_str(line.split_once(' ')?.1).ok());
    let conditions: BTreeSet<String> = known.chain(MORE.map(str::to_owned)).collect();
    let cases = conditions.into_iter().map(|condition| (condition, data())).collect();
    let say = async || server.send(&awaited, said()).await;
    let runs = server.play(&app, cases, 100, say).await;
    let answers = runs.into_iter().map(|(condition, run)| {
        let answer = match run.end {
            None => json!("never ends"),
            Some(end) => match &end["result"]["woken"] {
                Value::Bool(true) => json!("woken"),
                Value::Bool(false) => json!("not woken"),
                _ if is_refusal(&end["error"]) => json!("refused"),
                _ => end["error"]["message"].clone(),
            },
        };
        (condition, answer)
    });
    server
        .judge("waits", answers.collect(), |_, ours, theirs| {
            // The embedded server knows a part of the language, and says so. A run that never ends ends there, with an error.
            let is_ended = theirs == "never ends" && ours != "woken" && ours != "not woken";
            ours == theirs || ours == "refused" || is_ended
        })
        .await;
}

fn is_refusal(error: &Value) -> bool {
    error["error"] == "InvalidExpression"
}
