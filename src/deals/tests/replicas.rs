//! Several replicas, each with a clock of its own.

use std::sync::Arc;
use std::time::Duration;

use super::{LEAD, lead};
use crate::db::testing::{Ahead, Database};
use crate::deals::key::{Dedupe, Entry};
use crate::deals::table::{self, Claimed, Lease};

#[tokio::test]
#[ignore = "needs TEST_POSTGRES_URL: see CONTRIBUTING.md"]
async fn of_two_replicas_whose_clocks_differ_by_more_than_a_lease_one_gets_the_claim() {
    let lease = Lease {
        holds: Duration::from_secs(45),
        look_after: Duration::from_secs(90),
        resend_after: Duration::from_secs(900),
    };
    let (database, entry) = (Database::shared().await, Entry::of(&lead(LEAD), Dedupe::Lead));
    let (slow, fast) =
        (database.open(Arc::new(Ahead(0))).await, database.open(Arc::new(Ahead(100))).await);
    let first = table::claim(&slow, &entry, lease, true).await.unwrap();
    assert!(matches!(first, Claimed::Granted(_)), "{first:?}");
    let second = table::claim(&fast, &entry, lease, true).await.unwrap();
    assert!(matches!(second, Claimed::Held(_)), "{second:?}");
}
