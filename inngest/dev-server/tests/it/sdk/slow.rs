//! P-117, P-191: answers that take long, sent as streams.

use std::time::Duration;

use inngest::{Error, Result, ResultExt as _, Step};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::steps::{bodies, returns_in};
use super::world::{MODES, World};

/// Longer than the world of these tests keeps silent.
const LONG: Duration = Duration::from_millis(100);

/// The programs of these tests; `None` for another one. `ran` notes that a step's body has run.
pub(super) async fn slow(
    step: Step<'_>,
    program: &str,
    ran: impl Fn(&str) -> u32,
) -> Result<Option<Value>> {
    Ok(Some(match program {
        "slow steps" => {
            let text = async || {
                sleep(LONG).await;
                Ok("5".to_owned())
            };
            let alone: String = step.run("text", text).await?;
            let again = async || {
                sleep(LONG).await;
                match ran("again") {
                    1 => Err(Error::from("not yet").retry_after(Duration::from_secs(1))),
                    times => Ok(times),
                }
            };
            let again = step.run("again", again).await?;
            let never = async || {
                sleep(LONG).await;
                ran("never");
                Err::<(), _>("never").no_retry()
            };
            let never = step.run("never", never).await;
            let (a, b) = tokio::join!(step.run("a", text), step.run("b", text));
            json!([alone, again, never.err().map(|error| error.message), a?, b?])
        }
        "slow text" => {
            sleep(LONG).await;
            json!("5")
        }
        "slow nothing" => {
            sleep(LONG).await;
            Value::Null
        }
        "slow failure" => {
            sleep(LONG).await;
            return Err("out of stock").no_retry();
        }
        _ => return Ok(None),
    }))
}

#[tokio::test]
async fn steps_that_take_long() {
    let world = World::streaming().await;
    for run in returns_in(world, "slow steps", json!(["5", 2, "never", "5", "5"])).await {
        assert_eq!(bodies(&run), [("again", 2), ("never", 1)]);
    }
}

#[tokio::test]
async fn functions_that_take_long() {
    for (program, output) in [("slow text", json!("5")), ("slow nothing", json!(null))] {
        returns_in(World::streaming().await, program, output).await;
    }
    let world = World::streaming().await;
    for mode in MODES {
        let run = world.run(mode, "slow failure").await;
        assert_eq!(
            (run.status.as_str(), &run.output["message"]),
            ("Failed", &json!("out of stock"))
        );
    }
    world.end().await;
}
