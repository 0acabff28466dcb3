//! A database that takes every change and refuses to commit it, as a full disk does.

use crate::database::Database;

/// From now on no change of any table can be committed.
pub(super) async fn refuse_commits(database: &Database) {
    database.database.refuse_commits().await.unwrap();
}

/// From now on changes are committed.
pub(super) async fn accept_commits(database: &Database) {
    database.database.accept_commits().await.unwrap();
}
