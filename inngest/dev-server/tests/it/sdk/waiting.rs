//! Steps that wait for something from outside.

use serde_json::json;
use ulid::Ulid;

use super::world::{MODES, World, eventually, nudging};

#[tokio::test]
async fn an_event_ends_a_wait() {
    let world = World::start().await;
    let programs = ["waits", "waits on a field that both lack"];
    for (mode, program) in
        MODES.into_iter().flat_map(|mode| programs.map(|program| (mode, program)))
    {
        let key = Ulid::generate().to_string();
        let event = world.begin(mode, program, &key).await;
        let answer = async || {
            world.send("e2e/answer", json!({"key": "another", "n": 1})).await;
            world.send("e2e/answer", json!({"key": key, "n": 2})).await;
        };
        let run = nudging(answer, world.end_of(&event)).await;
        assert_eq!(run.entry.output, Some(json!(2)), "{program}, {mode}: {run:?}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_wait_ends_without_its_event() {
    let world = World::start().await;
    for mode in MODES {
        let run = world.run(mode, "waits for no event").await;
        assert_eq!(run.entry.output, Some(json!(true)), "{mode}: {run:?}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_signal_ends_a_wait() {
    let world = World::start().await;
    for mode in MODES {
        let key = Ulid::generate().to_string();
        let event = world.begin(mode, "signal", &key).await;
        let signal = json!({"signal": format!("e2e/{key}"), "data": {"ok": true}});
        eventually("the signal is taken", async || {
            let (status, _) = world.post("/v1/signals", &signal).await;
            (status == 200).then_some(())
        })
        .await;
        let run = world.end_of(&event).await;
        assert_eq!(run.entry.output, Some(json!({"ok": true})), "{mode}: {run:?}");
    }
    world.end().await;
}

#[tokio::test]
async fn functions_call_functions() {
    let world = World::start().await;
    for mode in MODES {
        let run = world.run(mode, "invokes").await;
        let unknown = "could not find function with ID: e2e-unknown";
        let expected = json!([42, "negative", unknown, "UnexpectedResult"]);
        assert_eq!(run.entry.output, Some(expected), "{mode}: {run:?}");
    }
    world.end().await;
}
