//! When runs may start (P-080..P-086).

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::fake_sdk::{Answer, Call};
use crate::sdk::eventually;
use crate::world::{DEADLINE, World, function_with};

/// A function that returns the data of its events.
async fn world(setting: &str, value: Value) -> World {
    World::start(json!([function_with(setting, value)]), |call: &Call| {
        let events = call.body["events"].as_array().unwrap();
        Answer::done(events.iter().map(|event| event["data"].clone()).collect())
    })
    .await
}

#[tokio::test]
async fn events_are_gathered_until_the_batch_is_full() {
    let batch = json!({"maxSize": 2, "timeout": "10s", "key": "event.data.k"});
    let mut world = world("batchEvents", batch).await;
    for (k, n) in [("a", 1), ("b", 2), ("a", 3)] {
        world.event("app/event", json!({"k": k, "n": n})).await;
    }
    let full = json!([{"k": "a", "n": 1}, {"k": "a", "n": 3}]);
    assert_eq!(world.end().await, Ok(full));
    world.clock.advance(Duration::from_secs(10));
    assert_eq!(world.end().await, Ok(json!([{"k": "b", "n": 2}])));
    let call = &world.sdk.calls()[0].body;
    assert_eq!(call["event"], call["events"][0]);
}

#[tokio::test]
async fn an_event_that_does_not_belong_into_the_batch_runs_alone() {
    let batch = json!({"maxSize": 2, "timeout": "10s", "if": "event.data.n > 1"});
    let mut world = world("batchEvents", batch).await;
    world.event("app/event", json!({"n": 1})).await;
    assert_eq!(world.end().await, Ok(json!([{"n": 1}])));
}

#[tokio::test]
async fn the_last_event_of_a_series_counts() {
    let mut world = world("debounce", json!({"period": "5s", "timeout": "8s"})).await;
    for n in 1..=3 {
        world.event("app/event", json!({"n": n})).await;
        world.clock.advance(Duration::from_secs(3));
    }
    // Nine seconds after the first event, three after the last.
    assert_eq!(world.end().await, Ok(json!([{"n": 3}])));
    assert_eq!(world.sdk.calls().len(), 1);
}

#[tokio::test]
async fn what_exceeds_a_rate_limit_is_dropped() {
    let limit = json!({"limit": 2, "period": "1h", "key": "event.data.k"});
    let mut world = world("rateLimit", limit).await;
    // Two in an hour are one in thirty minutes.
    for (k, minutes_later, starts) in
        [("a", 0, true), ("a", 0, false), ("b", 0, true), ("a", 29, false), ("a", 1, true)]
    {
        world.clock.advance(Duration::from_secs(minutes_later * 60));
        world.event("app/event", json!({"k": k})).await;
        assert_eq!(world.started().await, starts, "{k} {minutes_later}");
    }
}

#[tokio::test]
async fn a_function_is_idempotent_for_a_day() {
    let mut world = world("idempotency", json!("event.data.order")).await;
    for (order, starts) in [(1, true), (1, false), (2, true)] {
        world.event("app/event", json!({"order": order})).await;
        assert_eq!(world.started().await, starts, "{order}");
    }
    world.clock.advance(Duration::from_secs(24 * 60 * 60));
    world.event("app/event", json!({"order": 1})).await;
    assert!(world.started().await);
}

/// [observed on server 1.43]: all of the limit at once, then an even pace.
#[tokio::test]
async fn what_exceeds_a_throttle_waits() {
    let mut world = world("throttle", json!({"limit": 2, "period": "20s"})).await;
    for n in 1..=4 {
        world.event("app/event", json!({"n": n})).await;
    }
    for n in 1..=2 {
        assert_eq!(world.end().await, Ok(json!([{"n": n}])));
    }
    for n in 3..=4 {
        assert_eq!(world.sdk.calls().len(), n - 1);
        world.clock.advance(Duration::from_secs(10));
        assert_eq!(world.end().await, Ok(json!([{"n": n}])));
    }
}

async fn singleton(mode: &str) -> World {
    let setting = json!({"mode": mode, "key": "event.data.k"});
    World::start(json!([function_with("singleton", setting)]), |call: &Call| {
        match call.memo("nap") {
            None => Answer::sleep("1h"),
            Some(_) => Answer::done(call.body["event"]["data"].clone()),
        }
    })
    .await
}

#[tokio::test]
async fn one_run_at_a_time_skips_the_others() {
    let mut world = singleton("skip").await;
    for (k, starts) in [("a", true), ("a", false), ("b", true)] {
        world.event("app/event", json!({"k": k})).await;
        assert_eq!(world.started().await, starts, "{k}");
    }
}

#[tokio::test]
async fn one_run_at_a_time_gives_way_to_the_next() {
    let mut world = singleton("cancel").await;
    world.event("app/event", json!({"k": "a", "n": 1})).await;
    assert!(world.started().await);
    world.event("app/event", json!({"k": "a", "n": 2})).await;
    world.cancelled().await;
    world.asleep().await;
    world.clock.advance(Duration::from_secs(3600));
    assert_eq!(world.end().await, Ok(json!({"k": "a", "n": 2})));
}

/// Calls that are kept until each is let go.
#[derive(Default)]
struct Kept {
    /// The keys of those that go on.
    keys: Vec<i64>,
    /// The most that went on at once, and the most of one key.
    most: (usize, usize),
    /// How many may still go.
    let_go: usize,
}

#[tokio::test(flavor = "multi_thread")]
async fn only_so_many_calls_go_on_at_a_time() {
    let kept = Arc::new((Mutex::new(Kept::default()), Condvar::new()));
    let (calls, changed) = &*kept;
    let sdk = Arc::clone(&kept);
    let keep = move |key: i64| {
        let mut kept = sdk.0.lock().unwrap();
        kept.keys.push(key);
        let of_key = kept.keys.iter().filter(|other| **other == key).count();
        kept.most = (kept.most.0.max(kept.keys.len()), kept.most.1.max(of_key));
        (kept, _) = sdk.1.wait_timeout_while(kept, DEADLINE, |kept| kept.let_go == 0).unwrap();
        kept.let_go -= 1;
        let one = kept.keys.iter().position(|other| *other == key).unwrap();
        kept.keys.remove(one);
    };
    let script = move |call: &Call| {
        let key = call.body["event"]["data"]["k"].as_i64().unwrap();
        // Else it would take one of the few threads on which the other calls come.
        tokio::task::block_in_place(|| keep(key));
        Answer::done(json!(null))
    };
    let config =
        function_with("concurrency", json!([{"limit": 2}, {"limit": 1, "key": "event.data.k"}]));
    let mut world = World::start(json!([config]), script).await;
    for n in 0..20 {
        world.event("app/event", json!({"k": n % 4})).await;
    }
    let two = async || (calls.lock().unwrap().keys.len() >= 2).then_some(());
    eventually("two calls go on", two).await;
    for _ in 0..20 {
        calls.lock().unwrap().let_go += 1;
        changed.notify_one();
        assert_eq!(world.end().await, Ok(json!(null)));
    }
    assert_eq!(calls.lock().unwrap().most, (2, 1));
}
