//! Several replicas on one PostgreSQL.

use std::sync::Arc;
use std::time::Duration;

use functions::webhook::AmoCrmWebhook;
use prometei_flow::clock::ManualClock;
use prometei_flow::db::Db;
use prometei_flow::inbox::CLAIM;
use tokio::task::JoinSet;

use crate::database::Database;

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
