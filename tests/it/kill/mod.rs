//! `kill -9` of the real program under load, with Inngest away for part of the time.
//!
//! `KILLS=200 cargo test kill -- --nocapture` kills it more often.

mod load;
mod promises;
mod secrets;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::time::Duration;

use promises::{post_webhooks, until_all_are_kept};

use crate::database::Database;
use crate::world::{Begin as _, Program, World, given};

/// Leads that take part. Each needs a call of amoCRM, of which there are five a second.
const LEADS: u64 = 60;

/// How often a replica is killed.
#[expect(clippy::disallowed_methods, reason = "how long to test is asked of the environment")]
fn kills() -> usize {
    std::env::var("KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(8)
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_on_sqlite_every_webhook_answered_200_is_there_once() {
    killed(sixty_leads().spawned().await).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs TEST_POSTGRES_URL: see CONTRIBUTING.md"]
async fn two_replicas_killed_on_postgresql_every_webhook_answered_200_is_there_once() {
    let database = Database::shared().await;
    let world = sixty_leads().replicas(2).variable("DATABASE_URL", &database.url);
    killed(world.spawned().await).await;
}

/// Records have a marker, which this ERP does not keep unique: only the ledger prevents a second record. What a kill leaves
/// behind is sent again soon.
fn sixty_leads() -> sandbox::World {
    let world = given()
        .variable("CRM_FIELD_EXTERNAL_ID", "field_1041")
        .variable("DEALS_RESEND_AFTER", "1s")
        .inngest(|server| server.retry_interval(Duration::from_secs(1)))
        .gate_before_inngest();
    (1..=LEADS).fold(world, |world, lead| world.lead(lead, "Lead", 1000))
}

async fn killed(world: World<Program>) {
    // A process that is killed while it exchanges tokens loses the new pair, and the old one is spent: that takes a person.
    world.inngest_is_there(true);
    world.webhook(1).await;
    until_all_are_kept(&world, &BTreeSet::from([1])).await;

    let stop_posting = tokio_util::sync::CancellationToken::new();
    let posting = post_webhooks(&world, stop_posting.clone());
    let killing = async {
        for number in 0..kills() {
            // A different moment each time, and Inngest away every other time.
            world.inngest_is_there(number % 2 == 1);
            tokio::time::sleep(Duration::from_millis(120 + (number as u64 * 97) % 400)).await;
            world.replicas[number % world.replicas.len()].service.restart().await;
        }
        world.inngest_is_there(true);
        stop_posting.cancel();
    };
    let (promised, ()) = tokio::join!(posting, killing);
    let took = until_all_are_kept(&world, &promised).await;
    let (kills, leads) = (kills(), promised.len());
    let mut out = std::io::stdout();
    writeln!(out, "{kills} kills, {leads} leads promised, the last record after {took:?}").unwrap();
}
