//! The tables and how they came to be. A migration that was released is never edited; add the next one.

use std::borrow::Cow;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{SqlSafeStr as _, SqliteConnection};

const MIGRATIONS: &[(&str, &str)] = &[
    ("inbox", include_str!("migrations/0001_inbox.sql")),
    ("tokens", include_str!("migrations/0002_tokens.sql")),
    ("oauth_states", include_str!("migrations/0003_oauth_states.sql")),
    ("reconcile", include_str!("migrations/0004_reconcile.sql")),
];

/// Brings the tables up to date.
pub(super) async fn migrate(connection: &mut SqliteConnection) -> Result<(), MigrateError> {
    // What `Migrator::run` does once it has a connection. Through `run` itself the future would not be `Send`,
    // as its bounds name a lifetime that the compiler cannot generalise.
    migrator().run_direct(None, connection, false).await
}

fn migrator() -> Migrator {
    let migrations = (1..).zip(MIGRATIONS).map(|(version, (name, sql))| {
        let kind = MigrationType::Simple;
        Migration::new(version, Cow::Borrowed(name), kind, (*sql).into_sql_str(), false)
    });
    Migrator::with_migrations(migrations.collect())
}
