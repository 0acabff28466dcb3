//! Several replicas on one PostgreSQL.

use std::sync::Arc;
use std::time::Duration;

use functions::ports::AmoCrm as _;
use prometei_flow::amocrm::{AmoCrmClient, TokenStore as _};
use prometei_flow::clock::{ManualClock, SharedClock};
use prometei_flow::db::Db;
use prometei_flow::outbound::Outbound;
use sandbox::AmoCrmFailure;
use tokio::task::JoinSet;

use crate::amocrm::Bench;
use crate::database::Database;

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new("2026-11-22T10:00:00Z".parse().unwrap()))
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs TEST_POSTGRES_URL: see CONTRIBUTING.md"]
async fn replicas_that_start_at_once_agree_on_the_tables() {
    let database = Database::shared().await;
    let (mut starts, url) = (JoinSet::new(), Arc::new(database.url));
    for _ in 0..8 {
        let url = Arc::clone(&url);
        starts.spawn(async move { Db::open_for_service(&url, clock()).await.map(drop) });
    }
    for started in starts.join_all().await {
        started.unwrap();
    }
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
    let database = Database::file();
    let service = Db::open_for_service(&database.url, clock()).await.unwrap();
    let refused = Db::open_for_service(&database.url, clock()).await.err().unwrap().to_string();
    assert!(refused.contains("another prometei-flow serves this database"), "{refused}");
    let command = database.open(clock()).await;
    prometei_flow::deals::counts(&command).await.unwrap();
    drop(service);
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
