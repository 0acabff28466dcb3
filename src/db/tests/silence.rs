//! PostgreSQL goes away, and says nothing.

use std::time::Duration;

use sandbox::{DEADLINE, Gate};

use super::clock;
use crate::db::connection::Connection;
use crate::db::testing::Database;
use crate::db::{Db, only};

/// More than there are places in the pool.
const MANY: usize = 10;

/// A database behind a gate, with all connections of the pool open.
async fn behind_gate() -> (Database, Gate, Db) {
    let database = Database::shared().await;
    let (gate, url) = database.behind_gate().await;
    let db = Db::open(&url, clock()).await.unwrap();
    open_all(&db).await;
    (database, gate, db)
}

/// Uses every connection of the pool at once, and gives them back.
async fn open_all(db: &Db) {
    let mut open = Vec::new();
    for _ in 0..MANY {
        open.push(db.begin().await.unwrap());
    }
    for transaction in open {
        transaction.commit().await.unwrap();
    }
}

/// A change that is committed.
async fn change(db: &Db) -> anyhow::Result<u64> {
    db.commit(sqlx::query("UPDATE write_probe SET content = content WHERE id = 1")).await
}

async fn in_time<T>(waiting: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, waiting).await.unwrap()
}

#[tokio::test]
#[ignore = "needs TEST_POSTGRES_URL: see CONTRIBUTING.md"]
async fn when_all_connections_have_fallen_silent_the_next_change_finds_a_new_one() {
    let (_database, gate, db) = behind_gate().await;
    gate.fall_silent();
    // What a webhook has, for everything.
    let storing = async {
        let transaction = db.begin_within(Duration::from_millis(1500)).await?;
        anyhow::Ok(transaction.commit().await?)
    };
    in_time(storing).await.unwrap();
    in_time(open_all(&db)).await;
}

#[tokio::test]
#[ignore = "needs TEST_POSTGRES_URL: see CONTRIBUTING.md"]
async fn a_transaction_whose_connection_falls_silent_ends_and_the_next_one_succeeds() {
    let (_database, gate, db) = behind_gate().await;
    let mut transaction = db.begin_within(Duration::from_millis(300)).await.unwrap();
    gate.fall_silent();
    let statement = sqlx::query("UPDATE write_probe SET content = content WHERE id = 2");
    let error = in_time(transaction.execute(statement)).await.unwrap_err();
    assert!(error.to_string().contains("the database did not answer within"), "{error}");
    drop(transaction);
    in_time(change(&db)).await.unwrap();
}

#[tokio::test]
#[ignore = "needs TEST_POSTGRES_URL: see CONTRIBUTING.md"]
async fn a_connection_that_falls_silent_before_it_comes_back_takes_no_place_of_the_pool() {
    let (_database, gate, db) = behind_gate().await;
    let mut open = Vec::new();
    for _ in 0..MANY {
        let pools = &db.pools;
        let mut connection = Connection::of(&pools.writer, &pools.liveness).await.unwrap();
        connection.is_good();
        open.push(connection);
    }
    gate.fall_silent();
    drop(open);
    in_time(open_all(&db)).await;
}

#[tokio::test]
#[ignore = "needs TEST_POSTGRES_URL: see CONTRIBUTING.md"]
async fn a_query_without_an_end_is_given_up() {
    let (_database, _gate, db) = behind_gate().await;
    let query = sqlx::query_as::<_, (String,)>("SELECT pg_sleep(3600)::text");
    let error = in_time(db.fetch(query)).await.unwrap_err();
    assert!(error.to_string().contains("the database did not answer within"), "{error}");
}

#[tokio::test]
#[ignore = "needs TEST_POSTGRES_URL: see CONTRIBUTING.md"]
async fn connections_to_a_server_that_no_longer_takes_changes_are_replaced_after_the_first_refusal()
{
    let (_database, _gate, db) = behind_gate().await;
    // As after a failover: the sessions are those of a standby now, and reads go on.
    let mut open = Vec::new();
    for _ in 0..MANY {
        let mut transaction = db.begin().await.unwrap();
        let standby = sqlx::query("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY");
        transaction.execute(standby).await.unwrap();
        open.push(transaction);
    }
    for transaction in open {
        transaction.commit().await.unwrap();
    }
    let read = sqlx::query_as::<_, (i64,)>("SELECT COUNT(*) FROM write_probe");
    assert_eq!(only(db.fetch(read).await.unwrap()).unwrap(), (1,));
    let error = change(&db).await.unwrap_err();
    assert!(error.to_string().contains("read-only transaction"), "{error}");
    for _ in 0..MANY {
        change(&db).await.unwrap();
    }
}
