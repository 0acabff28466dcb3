//! The tables and how they came to be. A migration that was released is never edited; add the next one.

use std::borrow::Cow;

use sqlx::SqlSafeStr as _;
use sqlx::migrate::{Migration, MigrationType, Migrator};

const MIGRATIONS: &[(&str, &str)] = &[
    ("inbox", include_str!("migrations/0001_inbox.sql")),
    ("tokens", include_str!("migrations/0002_tokens.sql")),
];

pub(super) fn migrator() -> Migrator {
    let migrations = (1..).zip(MIGRATIONS).map(|(version, (name, sql))| {
        let kind = MigrationType::Simple;
        Migration::new(version, Cow::Borrowed(name), kind, (*sql).into_sql_str(), false)
    });
    Migrator::with_migrations(migrations.collect())
}
