//! How runs start and are cancelled.

use std::time::Duration;

use inngest::{Batch, Config, Context, EventData, Function, Result, Scheduled, Trigger};
use inngest_dev_server::ManualClock;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use ulid::Ulid;

use super::journal::Journal;
use super::world::{MODES, World, eventually, nudging};
use crate::world::NOW;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Item {
    group: String,
    n: u32,
}

impl EventData for Item {
    const NAME: &'static str = "e2e/item";
}

/// Notes the items that come together.
pub(crate) struct Gather(pub(crate) Journal);

impl Function for Gather {
    type Event = Item;
    type Output = Value;
    type OnFailure = ();

    fn config() -> Config {
        let batch = Batch::new(2, Duration::from_secs(60)).key("event.data.group");
        Config::id("gather").batch(batch)
    }

    async fn run(&self, cx: Context<'_, Self>) -> Result<Value> {
        let mut items: Vec<u32> = cx.events()?.iter().map(|event| event.data.n).collect();
        // The server may mix them up (P-104).
        items.sort_unstable();
        let output = json!(items);
        self.0.returns(&cx.event.data.group, &output);
        Ok(output)
    }
}

/// Notes that it ran.
pub(crate) struct EveryMinute(pub(crate) Journal);

impl Function for EveryMinute {
    type Event = Scheduled;
    type Output = ();
    type OnFailure = ();

    fn config() -> Config {
        Config::id("every-minute").trigger(Trigger::cron("* * * * *").time_zone("Europe/Paris"))
    }

    async fn run(&self, cx: Context<'_, Self>) -> Result<()> {
        self.0.returns("cron", &json!(cx.event.data.cron));
        Ok(())
    }
}

#[tokio::test]
async fn an_event_has_a_person_a_time_and_a_version() {
    let world = World::start().await;
    for mode in MODES {
        let data = json!({"program": "who", "key": "k", "origin": "-"});
        let user = json!({"external_id": "u-1"});
        let event = json!({"name": mode, "data": data, "user": user, "v": "2026-11-26", "ts": 1_795_348_800_250_i64});
        let (status, answer) = world.post("/e/test", &event).await;
        assert_eq!(status, 200, "{answer}");
        let run = world.end_of(answer["ids"][0].as_str().unwrap()).await;
        let expected = json!([user, "2026-11-26", 1_795_348_800_250_i64]);
        assert_eq!(run.entry.output, Some(expected), "{mode}: {run:?}");
    }
    world.end().await;
}

#[tokio::test]
async fn events_are_gathered_in_a_batch() {
    let world = World::start().await;
    let group = Ulid::generate().to_string();
    for n in 1..=2 {
        world.send("e2e/item", json!({"group": group, "n": n})).await;
    }
    let items = eventually("the batch is full", async || world.noted(&group).output).await;
    assert_eq!(items, json!([1, 2]));
    world.end().await;
}

#[tokio::test]
async fn functions_run_by_the_clock() {
    let clock = ManualClock::new(NOW);
    let world = World::with(clock.clone()).await;
    clock.advance(Duration::from_secs(60));
    let cron = eventually("a minute begins", async || world.noted("cron").output).await;
    assert_eq!(cron, json!("TZ=Europe/Paris * * * * *"));
    world.end().await;
}

#[tokio::test]
async fn runs_are_cancelled_by_events() {
    let world = World::start().await;
    for mode in MODES {
        let key = Ulid::generate().to_string();
        let event = world.begin(mode, "sleeps", &key).await;
        let cancel = async || {
            world.send("e2e/cancel", json!({"key": "another"})).await;
            world.send("e2e/cancel", json!({"key": key})).await;
        };
        let run = nudging(cancel, world.end_of(&event)).await;
        assert_eq!(run.status, "Cancelled", "{mode}");
        assert_eq!(run.entry.failure, None, "{mode}");
    }
    world.end().await;
}
