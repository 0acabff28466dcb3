//! Several replicas on one PostgreSQL.

use std::sync::Arc;
use std::time::Duration;

use functions::ports::AmoCrm as _;
use functions::webhook::AmoCrmWebhook;
use futures_util::future::join_all;
use prometei_flow::amocrm::{AmoCrmClient, TokenStore as _};
use prometei_flow::clock::{ManualClock, SharedClock};
use prometei_flow::inbox::CLAIM;
use prometei_flow::outbound::Outbound;
use sandbox::AmoCrmFailure;
use tokio::task::JoinSet;

use crate::amocrm::Bench;
use crate::database::Database;
use crate::world::{Begin as _, given};

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new("2026-11-22T10:00:00Z".parse().unwrap()))
}

fn leads(ids: impl IntoIterator<Item = u64>) -> Vec<AmoCrmWebhook> {
    let moved = |lead_id| AmoCrmWebhook {
        lead_id,
        account_id: None,
        subdomain: None,
        pipeline_id: None,
        status_id: None,
        old_pipeline_id: None,
        old_status_id: None,
        action: None,
        received_at: None,
    };
    ids.into_iter().map(moved).collect()
}

#[tokio::test]
#[ignore = "needs TEST_POSTGRES_URL: see CONTRIBUTING.md"]
async fn programs_that_start_at_once_agree_on_the_tables() {
    let database = Database::shared().await;
    let world = given().variable("DATABASE_URL", &database.url).unserved().await;
    for deals in join_all((0..8).map(|_| world.deals())).await {
        assert!(deals.is_empty(), "{deals:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_row_of_the_inbox_goes_to_two_replicas() {
    let database = Database::new().await;
    let clock = clock();
    let store = database.open(clock.clone()).await;
    let mut stored = store.accept_webhook(b"body", &leads(1..=200), None).await.unwrap();

    let mut replicas = JoinSet::new();
    for _ in 0..4 {
        let replica = database.open(clock.clone()).await;
        replicas.spawn(async move {
            let mut claimed = Vec::new();
            for _ in 0..20 {
                claimed.extend(replica.claim_batch(7).await.unwrap());
            }
            claimed
        });
    }
    let claimed = replicas.join_all().await.into_iter().flatten();
    let mut claimed: Vec<_> = claimed.map(|row| row.id).collect();
    claimed.sort_unstable();
    stored.sort_unstable();
    assert_eq!(claimed, stored, "each of them, once");

    // All of them crashed: the rows are due again.
    clock.advance(CLAIM + Duration::from_secs(1));
    assert_eq!(store.claim_batch(1000).await.unwrap().len(), 200);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs TEST_POSTGRES_URL: see CONTRIBUTING.md"]
async fn fifty_runs_on_two_replicas_at_token_expiry_make_one_exchange() {
    let database = Database::shared().await;
    let bench = Bench::new().await;
    let clock: SharedClock = bench.clock.clone();
    let replicas = [database.open(clock.clone()).await, database.open(clock.clone()).await];
    let clients: Vec<_> = replicas
        .iter()
        .map(|store| {
            let (settings, clock) = (bench.settings.clone(), clock.clone());
            AmoCrmClient::new(settings, store.clone(), Outbound::new(), clock)
        })
        .collect();
    for round in 1..=3 {
        let mut runs = JoinSet::new();
        // Slow enough that the others come while it is under way.
        bench.amocrm.fail_next_exchange(1, AmoCrmFailure::Slow(Duration::from_millis(150)));
        for number in 0..50 {
            let client = clients[number % 2].clone();
            runs.spawn(async move { client.authorize().await.unwrap() });
        }
        runs.join_all().await;
        assert_eq!(bench.amocrm.exchanges(), round);
        assert_eq!(replicas[0].load().await.unwrap().unwrap().generation, round as i64);
        bench.clock.advance(Duration::from_secs(86_400));
    }
    assert_eq!(bench.amocrm.refresh_tokens_spent_twice(), 0);
}

#[tokio::test]
async fn a_second_service_on_the_same_file_is_refused_and_a_command_is_not() {
    let world = given().spawned().await;
    let elsewhere = [("PORT", "0"), ("ADMIN_ADDR", "127.0.0.1:0")];
    let second = world.command_with(&["serve"], &elsewhere).await;
    assert_eq!(second.code, Some(1));
    assert!(second.err.contains("another prometei-flow serves this database"), "{}", second.err);
    assert!(world.deals().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs TEST_POSTGRES_URL: see CONTRIBUTING.md"]
async fn replicas_share_the_pace_that_amocrm_allows() {
    let database = Database::shared().await;
    let spacing = Duration::from_millis(200);
    let mut turns = JoinSet::new();
    for _ in 0..4 {
        let replica = database.open(clock()).await;
        turns.spawn(async move {
            let mut waits = Vec::new();
            for _ in 0..5 {
                waits.push(replica.next_turn(spacing).await.unwrap());
            }
            waits
        });
    }
    let longest = turns.join_all().await.into_iter().flatten().max().unwrap();
    // Twenty turns, taken in next to no time: the last one is nearly four seconds away.
    let last = spacing * 19;
    assert!(longest <= last && longest > last / 2, "{longest:?}");
}
