//! What a commit means on PostgreSQL, whatever the server's defaults are.

use super::clock;
use crate::db::testing::Database;
use crate::db::{Db, Transaction, only};

#[tokio::test]
#[ignore = "needs TEST_POSTGRES_URL: see CONTRIBUTING.md"]
async fn each_transaction_waits_for_the_disk_and_for_no_lock_longer_than_we_wait_for_it() {
    let database = Database::shared().await;
    let careless = "%20-c%20synchronous_commit%3Doff";
    let db = Db::open(&format!("{}{careless}", database.url()), clock()).await.unwrap();
    let mut transaction = db.begin().await.unwrap();
    assert_eq!(setting(&mut transaction, "SHOW synchronous_commit").await, "on");
    assert_eq!(setting(&mut transaction, "SHOW lock_timeout").await, "9s");
    let idle = setting(&mut transaction, "SHOW idle_in_transaction_session_timeout").await;
    assert_eq!(idle, "20s");
}

async fn setting(transaction: &mut Transaction, query: &'static str) -> String {
    let rows: Vec<(String,)> = transaction.fetch(sqlx::query_as(query)).await.unwrap();
    only(rows).unwrap().0
}
