//! The clocks of replicas differ; what they store does not.

use std::sync::Arc;

use jiff::SignedDuration;

use super::clock;
use crate::clock::{Clock, SystemClock};
use crate::db::Db;
use crate::db::testing::{Ahead, Database};

#[tokio::test]
#[ignore = "needs TEST_POSTGRES_URL: see CONTRIBUTING.md"]
async fn replicas_whose_clocks_differ_write_the_same_time() {
    let database = Database::shared().await;
    let (early, late) = (open(&database, -100).await, open(&database, 100).await);
    let apart = late.time().duration_since(early.time());
    assert!(apart.abs() < SignedDuration::from_secs(5), "{apart}");
    let skew = |db: &Db| db.clock_skew().unwrap().as_secs_f64();
    assert!((99.0..101.0).contains(&skew(&early)), "{}", skew(&early));
    assert!((-101.0..-99.0).contains(&skew(&late)), "{}", skew(&late));
}

#[tokio::test]
#[ignore = "needs TEST_POSTGRES_URL: see CONTRIBUTING.md"]
async fn a_clock_that_a_test_drives_stays_as_it_is() {
    let (database, clock) = (Database::shared().await, clock());
    let db = database.open(clock.clone()).await;
    assert_eq!((db.time(), db.clock_skew()), (clock.now(), None));
}

#[tokio::test]
async fn an_sqlite_file_has_no_clock_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/flow.db", folder.path().display());
    let db = Db::open(&url, Arc::new(Ahead(100))).await.unwrap();
    assert!(db.time() > SystemClock.now() + SignedDuration::from_secs(90));
    assert_eq!(db.clock_skew(), None);
}

async fn open(database: &Database, ahead: i64) -> Db {
    database.open(Arc::new(Ahead(ahead))).await
}
