use std::sync::Arc;
use std::time::Duration;

use sandbox::{ErpFailure, World};

use super::{Status, examine_within, reconcile};
use crate::clock::{ManualClock, SystemClock};
use crate::config::EnvMap;
use crate::db::testing::Database;
use crate::deals::Dedupe;
use crate::reconcile::Progress;

#[tokio::test]
async fn what_hangs_does_not_keep_the_rest_from_being_told() {
    let world = World::new().signed().start(async |_| Ok(())).await.unwrap();
    world.erp.break_next(9, ErpFailure::Hang);
    let variables = world.variables.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let (env, clock) = (variables.collect::<EnvMap>(), Arc::new(SystemClock));
    let findings = examine_within(Duration::from_secs(5), &env, clock).await;
    let status =
        |check: &str| findings.iter().find(|found| found.check == check).map(|found| found.status);
    assert_eq!(status("erp"), Some(Status::Error));
    for unharmed in ["inngest api", "amocrm token", "database"] {
        assert_eq!(status(unharmed), Some(Status::Ok), "{unharmed}");
    }
}

#[tokio::test]
async fn reconciliation_that_stands_still_is_found() {
    let clock = Arc::new(ManualClock::new("2026-11-22T12:00:00Z".parse().unwrap()));
    let database = Database::new().await;
    let db = database.open(clock.clone()).await;
    let progress = Progress::new(Some(db.clone()));
    assert_eq!(reconcile::examine(&progress, Dedupe::Lead).await, [], "it has not run yet");
    let cursor = sqlx::query(
        "INSERT INTO reconcile_cursor (id, started_at, cursor_at, read_at, swept_at) VALUES (1, $1, $1, $1, $1)",
    );
    db.commit(cursor.bind(db.now())).await.unwrap();
    let status = async |dedupe| reconcile::examine(&progress, dedupe).await[0].status;
    clock.advance(Duration::from_secs(32 * 60));
    assert_eq!(status(Dedupe::Lead).await, Status::Ok);
    clock.advance(Duration::from_secs(1));
    assert_eq!(status(Dedupe::Lead).await, Status::Warning);
    assert_eq!(status(Dedupe::Event).await, Status::Ok, "there it waits longer for webhooks");
    let off = Progress::new(None);
    assert_eq!(reconcile::examine(&off, Dedupe::Lead).await, []);
}
