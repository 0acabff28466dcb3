mod clocks;
mod durability;
mod pooler;
mod silence;

use std::pin::pin;
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};
use tokio::time::timeout;

use super::Db;
use crate::clock::{ManualClock, SharedClock};

fn clock() -> SharedClock {
    Arc::new(ManualClock::new("2026-11-22T10:00:00Z".parse().unwrap()))
}

#[cfg(unix)]
#[tokio::test]
async fn the_database_is_readable_by_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/flow.db", folder.path().display());
    let _db = Db::open_for_service(&url, clock()).await.unwrap();
    let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(Result::unwrap).collect();
    assert!(files.len() >= 3, "the database, its log and the lock: {files:?}");
    for file in files {
        let mode = file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{:?}", file.file_name());
    }
}

#[tokio::test]
async fn a_database_that_cannot_be_opened_says_which_one() {
    for (url, expected) in [
        ("sqlite:///nowhere/at/all/flow.db", "cannot create the database /nowhere/at/all/flow.db"),
        ("sqlite::memory:", "would lose"),
        ("mysql://localhost/flow", "only sqlite"),
        ("postgres://flow:sesame@127.0.0.1:1/flow", "cannot connect to PostgreSQL"),
    ] {
        let error = Db::open(url, clock()).await.err().unwrap();
        let text = format!("{error:#}");
        assert!(text.contains(expected) && !text.contains("sesame"), "{text}");
    }
}

/// SQLite has a connection wait for the others, but refuses the change to the write-ahead log at once.
#[tokio::test]
async fn a_file_that_another_program_is_about_to_prepare_is_opened_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/flow.db", folder.path().display());
    let other = SqliteConnectOptions::from_str(&url).unwrap().create_if_missing(true);
    let mut other = other.connect().await.unwrap();
    other.execute("BEGIN IMMEDIATE").await.unwrap();
    let mut opening = pin!(Db::open(&url, clock()));
    let waits = timeout(Duration::from_millis(300), &mut opening).await;
    assert!(waits.is_err(), "{:#?}", waits.map(Result::err));
    other.execute("COMMIT").await.unwrap();
    other.close().await.unwrap();
    opening.await.unwrap();
}
