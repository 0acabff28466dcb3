//! Opens databases on which nothing else is at work.

use anyhow::{Context as _, ensure};

use super::super::pools::Dialect;
use super::super::{Db, file};
use crate::clock::SharedClock;

/// Opens what is there, as it is.
pub(super) async fn open_source(url: &str, clock: SharedClock) -> anyhow::Result<Db> {
    if Dialect::of(url)? == Dialect::Sqlite {
        let path = file::path(url)?;
        ensure!(path.exists(), "there is no database {}", path.display());
    }
    open(url, clock, false).await
}

/// Opens a database, or creates an SQLite file, and brings its tables up to date.
pub(super) async fn open_target(url: &str, clock: SharedClock) -> anyhow::Result<Db> {
    open(url, clock, true).await
}

async fn open(url: &str, clock: SharedClock, migrates: bool) -> anyhow::Result<Db> {
    let name = format!("prometei-flow-copy-{}", std::process::id());
    let (url, lock) = match Dialect::of(url)? {
        Dialect::Sqlite => (url.to_owned(), Some(file::lock(url)?)),
        Dialect::Postgres => {
            let separator = if url.contains('?') { '&' } else { '?' };
            (format!("{url}{separator}application_name={name}"), None)
        }
    };
    let db = Db::connect(&url, clock, lock.map(Into::into)).await?;
    if db.is_shared() {
        no_other_sessions(&db, &name).await?;
    }
    if migrates {
        db.migrate().await.context("its tables could not be brought up to date")?;
    }
    Ok(db)
}

/// A service on PostgreSQL holds no lock, but it always has a connection.
async fn no_other_sessions(db: &Db, ours: &str) -> anyhow::Result<()> {
    let others = "SELECT usename::text, COALESCE(application_name, '') FROM pg_stat_activity \
                  WHERE datname = current_database() AND usename IS NOT NULL \
                  AND application_name IS DISTINCT FROM $1";
    let others: Vec<(String, String)> = db.fetch(sqlx::query_as(others).bind(ours)).await?;
    let shown = others.iter().map(|(user, program)| match program.as_str() {
        "" => user.clone(),
        program => format!("{user} ({program})"),
    });
    let shown = shown.collect::<Vec<_>>().join(", ");
    ensure!(
        others.is_empty(),
        "other programs are connected to it: {shown}. Stop the service on all machines, and try again"
    );
    Ok(())
}
