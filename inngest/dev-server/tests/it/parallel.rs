//! Planned steps, sleeps, and groups of them.

use std::sync::Arc;
use std::time::Duration;

use inngest_dev_server::Observation;
use serde_json::json;
use tokio::sync::Barrier;

use crate::fake_sdk::{Answer, Call};
use crate::world::{World, until};

fn calls_for(world: &World, step: &str) -> Vec<Call> {
    world.sdk.calls().into_iter().filter(|call| call.step() == step).collect()
}

#[tokio::test]
async fn a_group_is_called_step_by_step_and_discovered_once() {
    let mut world = World::simple(|call| match call.step() {
        "step" if call.memo("a").is_none() => Answer::planned(&["a", "b", "c"]),
        "step" => Answer::done(call.body["steps"].clone()),
        hash => Answer::ran(hash, json!(hash.to_uppercase())),
    })
    .await;
    world.send().await;
    let expected = json!({"a": {"data": "A"}, "b": {"data": "B"}, "c": {"data": "C"}});
    assert_eq!(world.end().await, Ok(expected));
    assert_eq!(world.sdk.calls().len(), 5);
    for hash in ["a", "b", "c"] {
        let calls = calls_for(&world, hash);
        assert_eq!(calls.len(), 1, "{hash}");
        assert_eq!(calls[0].function(), "app-fn");
        assert_eq!(calls[0].header("x-inngest-step-id"), Some(hash));
        assert_eq!(calls[0].body["ctx"]["step_id"], hash);
        assert_eq!(calls[0].body["ctx"]["disable_immediate_execution"], true);
    }
    let last = calls_for(&world, "step").pop().unwrap();
    assert_eq!(last.body["ctx"]["disable_immediate_execution"], false);
    assert_eq!(last.body["ctx"]["stack"]["stack"].as_array().unwrap().len(), 3);
    assert_eq!(last.body["ctx"]["stack"]["current"], 3);
}

/// [observed on server 1.43]
#[tokio::test]
async fn a_group_that_ends_with_a_sleep_is_discovered_without_immediate_execution() {
    let mut world = World::simple(|call| match (call.step(), call.memo("nap")) {
        ("step", None) => Answer::ops(json!([
            {"op": "StepPlanned", "id": "a", "name": "a"},
            {"op": "Sleep", "id": "nap", "name": "nap", "opts": {"duration": "1s"}},
        ])),
        ("step", Some(_)) if call.memo("tail").is_none() => Answer::planned(&["tail"]),
        ("step", Some(_)) => Answer::done(json!("done")),
        (hash, _) => Answer::ran(hash, json!(null)),
    })
    .await;
    world.send().await;
    until!(world, Observation::StepFinished { name, .. } if name == "a" => ());
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(world.end().await, Ok(json!("done")));
    let flags: Vec<_> = world
        .sdk
        .calls()
        .iter()
        .map(|call| call.body["ctx"]["disable_immediate_execution"].as_bool().unwrap())
        .collect();
    assert_eq!(flags, [false, true, true, false, false]);
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_of_a_group_run_at_the_same_time() {
    // Both calls wait for each other: one after the other, they would never end.
    let barrier = Arc::new(Barrier::new(2));
    let mut world = World::simple(move |call| match call.step() {
        "step" if call.memo("a").is_none() => Answer::planned(&["a", "b"]),
        "step" => Answer::done(json!("both")),
        hash => {
            tokio::task::block_in_place(|| {
                tokio::runtime::Handle::current().block_on(barrier.wait());
            });
            Answer::ran(hash, json!(null))
        }
    })
    .await;
    world.send().await;
    assert_eq!(world.end().await, Ok(json!("both")));
}

#[tokio::test]
async fn without_version_2_every_step_brings_a_discovery() {
    let mut world = World::simple(|call| {
        let answer = match call.step() {
            "step" if call.memo("a").is_none() && call.memo("b").is_none() => {
                Answer::planned(&["a", "b"])
            }
            "step" if call.memo("a").is_none() || call.memo("b").is_none() => {
                Answer::ops(json!([]))
            }
            "step" => Answer::done(json!("both")),
            hash => Answer::ran(hash, json!(null)),
        };
        answer.with("x-inngest-req-version", "1")
    })
    .await;
    world.send().await;
    assert_eq!(world.end().await, Ok(json!("both")));
}

#[tokio::test]
async fn a_race_is_discovered_when_its_first_step_is_done() {
    let racing = |op: &str, hash: &str| json!({"op": op, "id": hash, "name": hash, "data": hash, "opts": {"parallelMode": "race"}});
    let mut world = World::simple(move |call| match call.step() {
        "step" if call.memo("fast").is_some() => Answer::done(json!("fast")),
        "step" => {
            Answer::ops(json!([racing("StepPlanned", "fast"), racing("StepPlanned", "slow")]))
        }
        "fast" => Answer::ops(json!([racing("StepRun", "fast")])),
        // Its retry is due in 15 s, which do not pass in this test.
        _ => Answer::error("slow"),
    })
    .await;
    world.send().await;
    assert_eq!(world.end().await, Ok(json!("fast")));
}

#[tokio::test]
async fn a_sleep_lasts_as_long_as_it_says() {
    let mut world = World::simple(|call| match call.memo("nap") {
        None => Answer::sleep("1h"),
        Some(memo) => Answer::done(json!({"memo": memo})),
    })
    .await;
    world.send().await;
    let duration = world.asleep().await;
    assert_eq!(duration, Duration::from_secs(3600));
    world.clock.advance(duration - Duration::from_millis(1));
    assert_eq!(world.sdk.calls().len(), 1);
    world.clock.advance(Duration::from_millis(1));
    assert_eq!(world.end().await, Ok(json!({"memo": null})));
}

#[tokio::test]
async fn sleeps_until_a_time_and_sleeps_of_no_length() {
    for (duration, expected) in
        [("2026-11-22T12:00:10.250Z", 10_000), ("2020-01-01", 0), ("-5s", 0), ("", 0), ("0s", 0)]
    {
        let mut world = World::simple(move |call| match call.memo("nap") {
            None => Answer::ops(json!([{"op": "Sleep", "id": "nap", "name": "",
                "opts": {"duration": duration}, "data": null}])),
            Some(_) => Answer::done(json!("awake")),
        })
        .await;
        world.send().await;
        let seen = world.asleep().await;
        assert_eq!(seen, Duration::from_millis(expected), "{duration}");
        world.clock.advance(seen);
        assert_eq!(world.end().await, Ok(json!("awake")), "{duration}");
    }
}

#[tokio::test]
async fn a_step_that_is_reported_twice_is_called_once() {
    // The sleep ends while "slow" is tried again; the discovery reports both once more.
    let mut world = World::simple(|call| {
        let answer = match (call.step(), call.attempt()) {
            ("step", _) if call.memo("slow").is_some() => Answer::done(json!("done")),
            ("step", _) if call.memo("nap").is_some() => Answer::planned(&["slow"]),
            ("step", _) => Answer::ops(json!([
                {"op": "StepPlanned", "id": "slow", "name": "slow"},
                {"op": "Sleep", "id": "nap", "name": "nap", "opts": {"duration": "1s"}},
            ])),
            (_, 0) => Answer::step_error("slow", "busy").with("x-inngest-no-retry", "false"),
            _ => Answer::ran("slow", json!(null)),
        };
        answer.with("x-inngest-req-version", "1")
    })
    .await;
    world.send().await;
    world.next_retry().await;
    assert_eq!(world.end().await, Ok(json!("done")));
    assert_eq!(calls_for(&world, "slow").len(), 2);
}
