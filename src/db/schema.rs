//! The tables and how they came to be. A migration that was released is never edited; add the next one.

use std::borrow::Cow;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, SqlSafeStr as _, SqlStr};

use super::pools::Dialect;
use super::transaction::Transaction;

const MIGRATIONS: &[(&str, &str)] = &[
    ("inbox", include_str!("migrations/0001_inbox.sql")),
    ("tokens", include_str!("migrations/0002_tokens.sql")),
    ("deals", include_str!("migrations/0003_deals.sql")),
    ("inbox claims", include_str!("migrations/0004_inbox_claims.sql")),
    ("oauth states", include_str!("migrations/0005_oauth_states.sql")),
    ("reconcile", include_str!("migrations/0006_reconcile.sql")),
    ("amocrm pace", include_str!("migrations/0007_amocrm_pace.sql")),
    ("write probe", include_str!("migrations/0008_write_probe.sql")),
    ("deals unread columns", include_str!("migrations/0009_deals_unread_columns.sql")),
    ("deals progress", include_str!("migrations/0010_deals_progress.sql")),
    ("reconcile windows", include_str!("migrations/0011_reconcile_windows.sql")),
    ("tokens owner", include_str!("migrations/0012_tokens_owner.sql")),
    ("deals webhook missing", include_str!("migrations/0013_deals_webhook_missing.sql")),
    ("deals changes", include_str!("migrations/0014_deals_changes.sql")),
    ("deals story", include_str!("migrations/0015_deals_story.sql")),
];

/// A number of our own among the advisory locks of a PostgreSQL database: who brings the tables up to date.
const LOCK: &str = "SELECT pg_advisory_xact_lock(7263401)::text";

/// How long it may take to bring the tables up to date, and to wait for a process that is at it.
const LIMIT: Duration = Duration::from_secs(5 * 60);

/// Brings the tables up to date.
pub(super) async fn migrate(
    transaction: &mut Transaction,
    dialect: Dialect,
) -> Result<(), MigrateError> {
    if dialect == Dialect::Postgres {
        transaction.execute(sqlx::query("SET LOCAL lock_timeout = 0")).await?;
        transaction.wait_for(sqlx::query(LOCK), LIMIT).await?;
    }
    transaction.migrate(&migrator(dialect), LIMIT).await
}

fn migrator(dialect: Dialect) -> Migrator {
    let migrations = (1..).zip(MIGRATIONS).map(|(version, (name, sql))| {
        let (name, sql) = (Cow::Borrowed(*name), translated(sql, dialect));
        // No transaction of its own: ours is open.
        Migration::new(version, name, MigrationType::Simple, sql, true)
    });
    let mut migrator = Migrator::with_migrations(migrations.collect());
    // Its lock would end before our transaction does.
    migrator.set_locking(false);
    migrator
}

/// The one word in which the two databases differ.
fn translated(sql: &'static str, dialect: Dialect) -> SqlStr {
    match dialect {
        Dialect::Sqlite => sql.into_sql_str(),
        Dialect::Postgres => AssertSqlSafe(sql.replace(" BLOB ", " BYTEA ")).into_sql_str(),
    }
}
