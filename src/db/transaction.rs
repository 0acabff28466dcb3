//! The one way to change data: a transaction, and a commit that is waited for.
//!
//! A statement on its own is committed too, but not every way of running one hears how that went: sqlx's `fetch_one` and
//! `fetch_optional` are content with the first row of `INSERT .. RETURNING`, which comes before the commit, and drop the
//! commit's error. A claim read that way may be on no disk, and the ERP is called because of it. So this type runs
//! statements to their end, and what they did counts only after [`Transaction::commit`].

use std::time::Duration;

use sqlx::any::{AnyArguments, AnyRow};
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::query::{Query, QueryAs};
use sqlx::{Any, AnyConnection, Executor as _, FromRow};
use tokio::time::Instant;

use super::connection::Connection;
use super::liveness::{Liveness, STATEMENT, Work, run};
use crate::metrics::Timer;

/// A statement that returns nothing.
pub(crate) type Statement<'q> = Query<'q, Any, AnyArguments>;

/// A statement that returns rows.
pub(crate) type Selection<'q, R> = QueryAs<'q, Any, R, AnyArguments>;

/// A transaction that writes. On SQLite it holds the one write lock until it ends: no waiting for anything else inside.
///
/// Dropped before its commit is proven, it closes its connection, which rolls back. After an error the state of a
/// connection is a guess: SQLite rolls back by itself when the disk is full, and sqlx goes on counting the transaction
/// as open, so that no other one can begin there.
pub(crate) struct Transaction {
    connection: Connection,
    state: State,
    /// When all of it must be over, where that is sooner than its statements may take.
    deadline: Option<Instant>,
    timer: Option<Timer>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Every statement so far went well.
    Open,
    /// A statement has failed, is under way, or was given up half-way.
    Unknown,
}

impl Transaction {
    /// Begins one with the statement `begin`. All of it must be over by `deadline`.
    pub(super) async fn begin(
        connection: Connection,
        begin: &'static str,
        deadline: Option<Instant>,
    ) -> sqlx::Result<Self> {
        let mut transaction = Self { connection, state: State::Open, deadline, timer: None };
        let (connection, liveness, limit) = transaction.next()?;
        liveness.within(limit, run(Work::Begin, connection.execute(begin))).await?;
        transaction.state = State::Open;
        Ok(transaction)
    }

    /// The same transaction, measured to its end.
    pub(super) fn measured(mut self, timer: Timer) -> Self {
        self.timer = Some(timer);
        self
    }

    /// Runs a statement. Returns how many rows it changed.
    pub(crate) async fn execute(&mut self, statement: Statement<'_>) -> sqlx::Result<u64> {
        let (connection, liveness, limit) = self.next()?;
        let running = run(Work::Statement, statement.execute(connection));
        let done = liveness.within(limit, running).await?;
        self.state = State::Open;
        Ok(done.rows_affected())
    }

    /// Runs a statement that waits for others, for `limit` at most.
    pub(super) async fn wait_for(
        &mut self,
        statement: Statement<'_>,
        limit: Duration,
    ) -> sqlx::Result<()> {
        let (connection, liveness, _) = self.next()?;
        let running = run(Work::Statement, statement.execute(connection));
        liveness.within(limit, running).await?;
        self.state = State::Open;
        Ok(())
    }

    /// Runs a statement to its end and returns all its rows.
    pub(crate) async fn fetch<R>(&mut self, statement: Selection<'_, R>) -> sqlx::Result<Vec<R>>
    where
        R: for<'r> FromRow<'r, AnyRow> + Send + Unpin,
    {
        let (connection, liveness, limit) = self.next()?;
        let running = run(Work::Statement, statement.fetch_all(connection));
        let rows = liveness.within(limit, running).await?;
        self.state = State::Open;
        Ok(rows)
    }

    /// Brings the tables up to date, within `limit`.
    pub(super) async fn migrate(
        &mut self,
        migrator: &Migrator,
        limit: Duration,
    ) -> Result<(), MigrateError> {
        let (connection, liveness, _) = self.next()?;
        // What `Migrator::run` does once it has a connection. Through `run` itself the future would not be `Send`,
        // as its bounds name a lifetime that the compiler cannot generalise.
        let migrating = async { Ok(migrator.run_direct(None, connection, false).await) };
        liveness.within(limit, run(Work::Statement, migrating)).await??;
        self.state = State::Open;
        Ok(())
    }

    /// Commits. Once this returns without an error, what the statements did survives a crash.
    pub(crate) async fn commit(mut self) -> sqlx::Result<()> {
        let (connection, liveness, limit) = self.next()?;
        liveness.within(limit, run(Work::Commit, connection.execute("COMMIT"))).await?;
        self.connection.is_good();
        if let Some(timer) = self.timer.take() {
            timer.ends("done");
        }
        Ok(())
    }

    /// What the next statement needs. It takes back `Unknown` when it went well. Nothing runs after a failure: where the
    /// transaction is gone already, a further statement would be committed by itself.
    fn next(&mut self) -> sqlx::Result<(&mut AnyConnection, &Liveness, Duration)> {
        match std::mem::replace(&mut self.state, State::Unknown) {
            State::Open => {
                let left = |deadline: Instant| deadline.saturating_duration_since(Instant::now());
                let limit =
                    self.deadline.map_or(STATEMENT, |deadline| left(deadline).min(STATEMENT));
                let (connection, liveness) = self.connection.parts();
                Ok((connection, liveness, limit))
            }
            State::Unknown => {
                let reason = "an earlier statement of the transaction has failed";
                Err(sqlx::Error::Protocol(reason.to_owned()))
            }
        }
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if let Some(timer) = self.timer.take() {
            timer.ends(match self.state {
                State::Open => "rolled_back",
                State::Unknown => "failed",
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use sqlx::any::AnyPoolOptions;

    use super::super::connection::Connection;
    use super::super::liveness::Liveness;
    use super::Transaction;

    #[tokio::test]
    async fn after_a_failed_statement_nothing_runs_and_nothing_is_committed() {
        sqlx::any::install_default_drivers();
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/flow.db?mode=rwc", folder.path().display());
        let pool = AnyPoolOptions::new().max_connections(1).connect(&url).await.unwrap();
        let begin = async || {
            let connection = Connection::of(&pool, &Liveness::default()).await.unwrap();
            Transaction::begin(connection, "BEGIN IMMEDIATE", None).await.unwrap()
        };
        let create = || sqlx::query("CREATE TABLE t (id INTEGER)");
        let mut failed = begin().await;
        failed.execute(create()).await.unwrap();
        failed.execute(sqlx::query("INSERT INTO nowhere VALUES (1)")).await.unwrap_err();
        failed.execute(sqlx::query("INSERT INTO t VALUES (1)")).await.unwrap_err();
        failed.commit().await.unwrap_err();

        let mut next = begin().await;
        next.execute(create()).await.unwrap();
        next.commit().await.unwrap();
    }
}
