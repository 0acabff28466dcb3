//! Copies a database into another one: from SQLite to PostgreSQL, back, or from one to another of its kind.

mod alone;
mod catalog;
mod rows;
#[cfg(test)]
mod tests;

use anyhow::{Context as _, ensure};
use sqlx::AssertSqlSafe;

use super::Db;
use super::pools::Dialect;
use super::transaction::Transaction;
use crate::clock::SharedClock;
use catalog::{Catalog, count};

/// How many rows of a table were copied.
#[derive(Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) struct CopiedTable {
    pub(crate) table: String,
    pub(crate) rows: i64,
}

/// What is being copied: the table, how many rows of it so far, and of how many.
pub(crate) type Progress<'p> = &'p mut dyn FnMut(&str, u64, i64);

/// Copies all tables of the database at `from` into the one at `to`, which must be as good as new. It holds all of it
/// afterwards, or what it held before.
///
/// No service may run on either. Nothing changes the source meanwhile.
pub(crate) async fn copy(
    from: &str,
    to: &str,
    clock: SharedClock,
    progress: Progress<'_>,
) -> anyhow::Result<Vec<CopiedTable>> {
    ensure!(from != to, "the source and the target are the same database");
    let source = alone::open_source(from, clock.clone()).await.context("the source")?;
    let target = alone::open_target(to, clock.clone()).await.context("the target")?;
    let copied = copy_all(&source, &target, clock, progress).await;
    source.close().await;
    target.close().await;
    copied
}

async fn copy_all(
    source: &Db,
    target: &Db,
    clock: SharedClock,
    progress: Progress<'_>,
) -> anyhow::Result<Vec<CopiedTable>> {
    let (from_dialect, to_dialect) = (source.pools.dialect, target.pools.dialect);
    let (mut from, mut to) = (source.begin().await?, target.begin().await?);
    let catalog = Catalog::of(&mut to, to_dialect).await?;
    ensure!(
        Catalog::of(&mut from, from_dialect).await? == catalog,
        "the source has the tables of another version: start this version on it once, or copy with the version that it has"
    );
    let tables = catalog.in_order(&mut to, to_dialect).await?;
    is_as_new(&mut to, &tables, clock).await?;
    for table in tables.iter().filter(|_| from_dialect == Dialect::Postgres) {
        // SQLite has one writer at a time, and that are we.
        let lock = format!("LOCK TABLE \"{table}\" IN SHARE MODE");
        from.execute(sqlx::query(AssertSqlSafe(lock))).await?;
    }
    for table in tables.iter().rev() {
        to.execute(sqlx::query(AssertSqlSafe(format!("DELETE FROM \"{table}\"")))).await?;
    }
    let mut copied = Vec::new();
    for table in tables {
        let rows = count(&mut from, table).await?;
        let columns = &catalog.0[table];
        let progress = |so_far| progress(table, so_far, rows);
        let copying = rows::copy(table, columns, &mut from, &mut to, progress).await;
        copying.with_context(|| format!("the table {table}"))?;
        let arrived = count(&mut to, table).await?;
        ensure!(arrived == rows, "of {rows} rows of {table}, {arrived} arrived: nothing was kept");
        copied.push(CopiedTable { table: table.to_owned(), rows });
    }
    to.commit().await.context("the target did not commit")?;
    Ok(copied)
}

/// Fails where a table of the target has more rows than in a new database.
async fn is_as_new(
    target: &mut Transaction,
    tables: &[&str],
    clock: SharedClock,
) -> anyhow::Result<()> {
    let folder = tempfile::tempdir().context("no temporary folder")?;
    let new = Db::open(&format!("sqlite://{}/new.db", folder.path().display()), clock).await?;
    let mut there = new.begin().await?;
    for table in tables {
        let rows = count(target, table).await?;
        ensure!(
            rows <= count(&mut there, table).await?,
            "the target is not empty: {table} has {rows} rows. Give a new database"
        );
    }
    drop(there);
    new.close().await;
    Ok(())
}
