//! Conditions: which of them the server takes, and what they wake (P-070, P-132).

use serde_json::{Value, json};
use ulid::Ulid;

use super::world::{MODES, World, nudging};

/// The answers of the official server, by which the SDK judges.
const ANSWERS: &str = include_str!("../../../../tests/expressions.txt");

/// Texts that a condition could get wrong.
pub(super) const TEXTS: [&str; 7] =
    ["plain", "it's", "say \"x\"", "both ' and \"", "back\\slash", "two\nlines", "ключ 😀"];

#[tokio::test]
async fn what_a_registration_may_say() {
    let world = World::start().await;
    let url = format!("{}/api/conditions", world.app_url());
    let takes = async |part: Value| {
        let mut function = json!({
            "id": "conditions-fn", "name": "fn", "triggers": [{ "event": "e2e/never" }],
            "steps": { "step": {
                "id": "step", "name": "step", "retries": { "attempts": 0 },
                "runtime": { "type": "http", "url": format!("{url}?fnId=conditions-fn&stepId=step") },
            } },
        });
        function.as_object_mut().unwrap().extend(part.as_object().unwrap().clone());
        let app = json!({
            "url": url, "deployType": "ping", "appName": "conditions", "sdk": "inngest-rs:v0.1.0", "v": "0.1",
            "framework": "http", "functions": [function], "headers": { "env": "", "platform": "" },
        });
        world.post("/fn/register", &app).await.0 == 200
    };
    let mut wrong = Vec::new();
    for line in ANSWERS.lines().filter(|line| !line.starts_with('#')) {
        let (answers, expression) = line.split_once(' ').unwrap();
        let expression: String = serde_json::from_str(expression).unwrap();
        let parts = [
            json!({ "triggers": [{ "event": "e2e/never", "expression": expression }] }),
            json!({ "cancel": [{ "event": "e2e/never", "if": expression }] }),
        ];
        for (answer, part) in answers.chars().zip(parts) {
            let taken = takes(part).await;
            // The embedded server knows a part of the language, and takes nothing that the official one refuses.
            let right = taken == (answer == '+') || (!taken && !world.is_official());
            if !right {
                wrong.push(format!("{answers} {expression:.80}"));
            }
        }
    }
    assert!(takes(json!({})).await);
    world.end().await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn values_wake_what_they_are_equal_to_and_nothing_else() {
    let world = World::start().await;
    for mode in MODES {
        let key = Ulid::generate().to_string();
        let event = world.begin(mode, "waits for values", &key).await;
        let say = async || {
            for text in TEXTS {
                world
                    .send("e2e/said", json!({ "key": key, "text": text, "n": -5, "list": ["a"] }))
                    .await;
            }
        };
        let run = nudging(say, world.end_of(&event)).await;
        let woken: Vec<_> = TEXTS.into_iter().map(Value::from).collect();
        assert_eq!(run.entry.output, Some(json!([woken, null])), "{mode}: {run:?}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_field_that_both_events_lack_wakes_nothing() {
    let world = World::start().await;
    for mode in MODES {
        let key = Ulid::generate().to_string();
        let event = world.begin(mode, "matches a field that both lack", &key).await;
        let say = async || {
            world.send("e2e/said", json!({ "key": key, "text": "x", "n": 1, "list": [] })).await;
        };
        let run = nudging(say, world.end_of(&event)).await;
        assert_eq!(run.entry.output, Some(json!([null, "x"])), "{mode}: {run:?}");
    }
    world.end().await;
}
