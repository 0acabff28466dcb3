use std::fmt::Write as _;
use std::sync::Arc;

use sqlx::AssertSqlSafe;
use tempfile::TempDir;
use url::Url;

use super::super::Db;
use super::super::pools::Dialect;
use super::super::testing::Database;
use super::catalog::{Catalog, Kind};
use super::{CopiedTable, copy};
use crate::clock::SystemClock;

/// An SQLite file, which need not exist yet.
struct File {
    url: String,
    _folder: TempDir,
}

fn file() -> File {
    let folder = tempfile::tempdir().unwrap();
    File { url: format!("sqlite://{}/flow.db", folder.path().display()), _folder: folder }
}

async fn open(url: &str) -> Db {
    Db::open(url, Arc::new(SystemClock)).await.unwrap()
}

async fn copied(from: &str, to: &str) -> anyhow::Result<Vec<CopiedTable>> {
    copy(from, to, Arc::new(SystemClock), &mut |_, _, _| {}).await
}

async fn refused(from: &str, to: &str) -> String {
    format!("{:#}", copied(from, to).await.unwrap_err())
}

/// A database with something in each column of each table, and more than a page of deals with nothing in most columns.
async fn full() -> File {
    let file = file();
    let db = open(&file.url).await;
    let mut transaction = db.begin().await.unwrap();
    let catalog = Catalog::of(&mut transaction, Dialect::Sqlite).await.unwrap();
    for table in catalog.in_order(&mut transaction, Dialect::Sqlite).await.unwrap() {
        let columns = &catalog.0[table];
        let (mut names, mut values) = (Vec::new(), Vec::new());
        for column in columns {
            names.push(format!("\"{}\"", column.name));
            values.push(match (table, column.name.as_str(), column.kind) {
                ("deals", "state", _) => "'done'",
                ("webhook_bodies", "state", _) => "'read'",
                // The same in all tables, so that what refers to it finds it.
                (_, _, Kind::Text) => "'Ремонт ''офиса'''",
                (_, _, Kind::Integer) => "1",
                (_, _, Kind::Blob) => "x'00ff80'",
            });
        }
        let (names, values) = (names.join(", "), values.join(", "));
        let insert = format!("INSERT OR REPLACE INTO \"{table}\" ({names}) VALUES ({values})");
        transaction.execute(sqlx::query(AssertSqlSafe(insert))).await.unwrap();
    }
    for lead in 0..50_i64 {
        let insert = "INSERT INTO deals (deal_key, run_id, state, created_at, updated_at) VALUES ('lead:' || $1, '', 'open', $1, 0)";
        transaction.execute(sqlx::query(insert).bind(lead)).await.unwrap();
    }
    transaction.commit().await.unwrap();
    db.close().await;
    file
}

/// All that an SQLite file holds.
async fn content(url: &str) -> String {
    let db = open(url).await;
    let mut transaction = db.begin().await.unwrap();
    let catalog = Catalog::of(&mut transaction, Dialect::Sqlite).await.unwrap();
    let mut content = String::new();
    for (table, columns) in &catalog.0 {
        let quoted: Vec<_> =
            columns.iter().map(|column| format!("quote(\"{}\")", column.name)).collect();
        let rows = format!("SELECT {} FROM \"{table}\" ORDER BY 1", quoted.join(" || ',' || "));
        let rows: Vec<(String,)> =
            transaction.fetch(sqlx::query_as(AssertSqlSafe(rows))).await.unwrap();
        assert!(!rows.is_empty(), "{table}");
        for (row,) in rows {
            writeln!(content, "{table}: {row}").unwrap();
        }
    }
    drop(transaction);
    db.close().await;
    content
}

#[tokio::test]
async fn every_table_arrives_as_it_was() {
    let (from, to) = (full().await, file());
    let mut last = None;
    let mut progress = |table: &str, so_far, of| last = Some((table.to_owned(), so_far, of));
    let copied = copy(&from.url, &to.url, Arc::new(SystemClock), &mut progress).await.unwrap();
    assert_eq!(content(&from.url).await, content(&to.url).await);
    let deals = CopiedTable { table: "deals".to_owned(), rows: 51 };
    assert!(copied.contains(&deals), "{copied:?}");
    assert!(copied.iter().all(|table| table.rows > 0), "{copied:?}");
    assert!(last.is_some_and(|(_, so_far, of)| Some(of) == i64::try_from(so_far).ok()));
}

#[tokio::test]
async fn a_target_that_holds_something_is_left_alone() {
    let (from, to) = (full().await, full().await);
    let before = content(&to.url).await;
    let refused = refused(&from.url, &to.url).await;
    assert!(refused.contains("the target is not empty: deals has 51 rows"), "{refused}");
    assert_eq!(content(&to.url).await, before);
}

#[tokio::test]
async fn a_copy_that_fails_leaves_nothing_in_the_target() {
    let (from, to) = (full().await, file());
    let db = open(&from.url).await;
    let broken = "PRAGMA ignore_check_constraints = ON; UPDATE write_probe SET id = 2";
    let mut transaction = db.begin().await.unwrap();
    for statement in broken.split("; ") {
        transaction.execute(sqlx::query(statement)).await.unwrap();
    }
    transaction.commit().await.unwrap();
    db.close().await;
    let refused = refused(&from.url, &to.url).await;
    assert!(refused.starts_with("the table write_probe"), "{refused}");
    let db = open(&to.url).await;
    let deals: Vec<(i64,)> = db.fetch(sqlx::query_as("SELECT COUNT(*) FROM deals")).await.unwrap();
    assert_eq!(deals, [(0,)]);
    copied(&full().await.url, &to.url).await.unwrap();
}

#[tokio::test]
async fn a_database_that_is_served_is_not_copied_and_not_copied_into() {
    let (one, other) = (full().await, file());
    let service = Db::open_for_service(&one.url, Arc::new(SystemClock)).await.unwrap();
    for (from, to) in [(&one, &other), (&other, &one)] {
        open(&other.url).await.close().await;
        let refused = refused(&from.url, &to.url).await;
        assert!(refused.contains("another prometei-flow serves this database"), "{refused}");
    }
    service.close().await;
    copied(&one.url, &other.url).await.unwrap();
}

#[tokio::test]
async fn a_source_of_another_version_or_none_at_all_is_refused() {
    let (from, to) = (full().await, file());
    let db = open(&from.url).await;
    db.commit(sqlx::query("ALTER TABLE tokens DROP COLUMN refused")).await.unwrap();
    db.close().await;
    let said = refused(&from.url, &to.url).await;
    assert!(said.contains("the source has the tables of another version"), "{said}");

    let nothing = file();
    let said = refused(&nothing.url, &to.url).await;
    assert!(said.contains("there is no database"), "{said}");
    assert!(!std::path::Path::new(&nothing.url["sqlite://".len()..]).exists(), "none is made");
}

/// A PostgreSQL database of its own: who is connected is asked of a whole database.
async fn database(server: &Db, url: &str) -> String {
    let name = format!("copy_{}", server.next_id().to_lowercase());
    // Not in a transaction.
    let create = sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {name}")));
    create.execute(&server.pools.writer).await.unwrap();
    let mut url: Url = url.parse().unwrap();
    url.set_path(&name);
    url.set_query(None);
    url.into()
}

#[tokio::test]
#[ignore = "needs TEST_POSTGRES_URL"]
async fn through_postgresql_and_back_nothing_changes() {
    let server = Database::shared().await;
    let db = server.open(Arc::new(SystemClock)).await;
    let (from, between, to) = (full().await, database(&db, server.url()).await, file());
    let there = copied(&from.url, &between).await.unwrap();
    let back = copied(&between, &to.url).await.unwrap();
    assert_eq!(there, back);
    assert_eq!(content(&from.url).await, content(&to.url).await);
    let said = refused(&from.url, &between).await;
    assert!(said.contains("the target is not empty"), "{said}");
}

#[tokio::test]
#[ignore = "needs TEST_POSTGRES_URL"]
async fn while_another_program_is_connected_postgresql_is_not_copied() {
    let server = Database::shared().await;
    let db = server.open(Arc::new(SystemClock)).await;
    let (from, to) = (database(&db, server.url()).await, file());
    let service = open(&from).await;
    let said = refused(&from, &to.url).await;
    assert!(said.contains("other programs are connected to it"), "{said}");
    service.close().await;
}
