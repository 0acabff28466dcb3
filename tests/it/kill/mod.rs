//! `kill -9` of the real program under load, with Inngest away for part of the time.
//!
//! `KILLS=200 cargo test kill -- --nocapture` kills it more often.

mod gate;
mod load;
mod secrets;
pub(crate) mod service;
mod world;

use std::io::Write as _;
use std::time::Duration;

use world::World;

use crate::database::{Database, shared_or_skip};

/// How often a replica is killed.
#[expect(clippy::disallowed_methods, reason = "how long to test is asked of the environment")]
fn kills() -> usize {
    std::env::var("KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(8)
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_on_sqlite_every_webhook_answered_200_is_there_once() {
    killed(&World::start(Database::file(), 1).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_killed_on_postgresql_every_webhook_answered_200_is_there_once() {
    let Some(database) = shared_or_skip("two_replicas_killed_on_postgresql").await else { return };
    killed(&World::start(database, 2).await).await;
}

async fn killed(world: &World) {
    let stop_posting = tokio_util::sync::CancellationToken::new();
    let posting = world.posts_until(stop_posting.clone());
    let killing = async {
        for number in 0..kills() {
            // A different moment each time, and Inngest away every other time.
            world.inngest_is_there(number % 2 == 1);
            tokio::time::sleep(Duration::from_millis(120 + (number as u64 * 97) % 400)).await;
            world.kill_and_restart(number).await;
        }
        world.inngest_is_there(true);
        stop_posting.cancel();
    };
    let (promised, ()) = tokio::join!(posting, killing);
    world.until_all_are_accounted_for(&promised).await;
    let summary = world.summary().await;
    let mut out = std::io::stdout();
    writeln!(out, "{} kills, {} leads promised: {summary}", kills(), promised.len()).unwrap();
}
