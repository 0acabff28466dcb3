//! I3, I4, I9: as much as the server takes, and a little more.

use std::collections::HashSet;
use std::time::{Duration, UNIX_EPOCH};

use inngest::{
    Client, Clock, Error, NewEvent, ReqwestTransport, Result, ResultExt as _, Settings, Step,
};
use serde_json::value::to_raw_value;
use serde_json::{Value, json};

use super::steps::{bodies, returns};
use super::world::World;
use crate::world::client;

/// Of six bytes each as the server counts, with quotes and `{"data":` around them: the largest result of a step.
const LARGEST_MARKUP: usize = (4 * 1024 * 1024 - 11) / 6;

fn nested(levels: usize) -> Value {
    (0..levels).fold(json!(1), |inner, _| Value::Array(vec![inner]))
}

fn many(count: usize) -> Vec<NewEvent> {
    (0..count).map(|n| NewEvent::named("e2e/unused", json!({"n": n}))).collect()
}

/// The programs of these tests; `None` for another one. `ran` notes that a step's body has run.
pub(super) async fn large(
    step: Step<'_>,
    program: &str,
    ran: impl Fn(&str) -> u32,
) -> Result<Option<Value>> {
    Ok(Some(match program {
        "results at the limit" => {
            let largest = "<".repeat(LARGEST_MARKUP);
            let fits = step.run("fits", async || Ok(largest.clone())).await?;
            let over = step.run("over", async || {
                ran("over");
                Ok(format!("{largest}<"))
            });
            let over = over.await.err().map(|error| error.name);
            let deepest = step.run("deepest", async || Ok(nested(120))).await?;
            let deeper = step.run("deeper", async || Ok(nested(121))).await;
            json!([fits.len(), over, deepest == nested(120), deeper.err().map(|error| error.name)])
        }
        "large errors" => {
            let text = step.run("text", async || {
                ran("text");
                Err::<Value, _>("<".repeat(2_000_000)).no_retry()
            });
            let text = text.await.err().map(|error| error.message).unwrap_or_default();
            let data = step.run("data", async || {
                ran("data");
                Err::<Value, _>(Error::from("no").with_data("&".repeat(800_000)).no_retry())
            });
            let data = data.await.err().map(|error| (error.data, error.message[..27].to_owned()));
            json!([text.len(), text.split_once(' ').map(|(_, mark)| mark), data])
        }
        "large requests" => {
            let of = |bytes: usize| json!({"n": 21, "text": "x".repeat(bytes)});
            let invoke = |id, bytes| step.invoke_id::<i64>(id, "e2e-double", &of(bytes));
            let (a, b, c, over) = tokio::join!(
                invoke("a", 3_500_000),
                invoke("b", 3_000_000),
                invoke("c", 2_500_000),
                invoke("over", 4_200_000),
            );
            json!([a?, b?, c?, over.err().map(|error| error.name)])
        }
        "sends many" => {
            let ids = step.send_event("send", many(12_000)).await?;
            json!([ids.len(), ids.iter().collect::<HashSet<_>>().len()])
        }
        _ => return Ok(None),
    }))
}

#[tokio::test]
async fn results_of_steps_at_the_limit() {
    let expected = json!([LARGEST_MARKUP, "UnsavableData", true, "UnsavableData"]);
    for run in returns("results at the limit", expected).await {
        assert_eq!(bodies(&run), [("over", 1)], "refused once");
    }
}

#[tokio::test]
async fn errors_of_any_size() {
    let mark = "[cut here; it had 2000000 bytes]";
    let expected = json!([64 * 1024 + 33, mark, [null, "no [its data was left out: "]]);
    for run in returns("large errors", expected).await {
        assert_eq!(bodies(&run), [("data", 1), ("text", 1)]);
    }
}

/// Together they are more than a reply may have.
#[tokio::test]
async fn requests_that_fit_only_one_after_the_other() {
    returns("large requests", json!([42, 42, 42, "UnsavableData"])).await;
}

#[tokio::test]
async fn a_step_sends_twelve_thousand_events_once() {
    returns("sends many", json!([12_000, 12_000])).await;

    // Whatever requests they went in, the same seed is the same events (P-176).
    let world = World::start().await;
    let seeded = || {
        let settings = Settings::dev().with_origin(world.server_url());
        let clock = Clock::new(|| UNIX_EPOCH + Duration::from_secs(1_700_000_000));
        Client::with_sources(settings, ReqwestTransport::new(client()), clock, |bytes| {
            bytes.fill(7);
        })
    };
    let all = seeded().send(&many(5_010)).await.unwrap();
    assert_eq!(seeded().send(&many(5_010)).await.unwrap(), all);
    let mut tail = many(5_010);
    for event in &mut tail[3..5] {
        event.data = to_raw_value(&json!({ "text": "x".repeat(3_000_000) })).unwrap();
    }
    assert_eq!(seeded().send(&tail).await.unwrap(), all, "split elsewhere");
    world.end().await;
}
