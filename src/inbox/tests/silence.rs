//! PostgreSQL falls silent while a webhook is being stored.

use std::sync::Arc;

use axum::response::Response;
use functions::webhook::LeadFilter;
use http::Request;
use sandbox::webhook_of;
use tokio::task::JoinHandle;

use super::{clock, eventually};
use crate::db::testing::Database;
use crate::db::{Db, only};
use crate::deals::Rules;
use crate::inbox::{Inbox, Intake};
use crate::metrics::Metrics;

#[tokio::test]
#[ignore = "needs TEST_POSTGRES_URL: see CONTRIBUTING.md"]
async fn a_webhook_that_meets_the_silence_is_answered_503_and_the_next_one_200() {
    let database = Database::shared().await;
    let (gate, url) = database.behind_gate().await;
    let inbox = Inbox::new(Db::open(&url, clock()).await.unwrap(), Rules::default());
    let intake = Arc::new(Intake::new(inbox, Vec::new(), LeadFilter::default(), Metrics::new()));
    let beside = database.open(clock()).await;
    let mut lock = beside.begin().await.unwrap();
    lock.execute(sqlx::query("LOCK TABLE inbox")).await.unwrap();

    let first = receives(&intake, 1);
    eventually("the first is being stored", async || {
        let waiting =
            "SELECT COUNT(*) FROM pg_locks WHERE NOT granted AND relation = 'inbox'::regclass";
        let (waiting,): (i64,) =
            only(beside.fetch(sqlx::query_as(waiting)).await.unwrap()).unwrap();
        (waiting > 0).then_some(())
    })
    .await;
    gate.fall_silent();
    drop(lock);
    assert_eq!(first.await.unwrap().status(), 503);
    assert_eq!(receives(&intake, 2).await.unwrap().status(), 200);
}

fn receives(intake: &Arc<Intake>, lead: u64) -> JoinHandle<Response> {
    let request = Request::post("/api/amocrm-webhook").body(webhook_of(lead).into()).unwrap();
    let intake = Arc::clone(intake);
    tokio::spawn(async move { intake.receive(request).await })
}
