//! The one way to change data: a transaction, and a commit that is waited for.
//!
//! A statement on its own is committed too, but not every way of running one hears how that went: sqlx's `fetch_one` and
//! `fetch_optional` are content with the first row of `INSERT .. RETURNING`, which comes before the commit, and drop the
//! commit's error. A claim read that way may be on no disk, and the ERP is called because of it. So this type runs
//! statements to their end, and what they did counts only after [`Transaction::commit`].

use sqlx::any::{AnyArguments, AnyRow};
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::pool::PoolConnection;
use sqlx::query::{Query, QueryAs};
use sqlx::{Any, AnyConnection, AnyPool, Executor as _, FromRow};

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
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Every statement so far went well.
    Open,
    /// A statement has failed, is under way, or was given up half-way.
    Unknown,
}

impl Transaction {
    /// Begins one with the statement `begin`.
    pub(super) async fn begin(connection: Connection, begin: &'static str) -> sqlx::Result<Self> {
        let mut transaction = Self { connection, state: State::Unknown };
        run(Work::Begin, transaction.connection.open().execute(begin)).await?;
        transaction.state = State::Open;
        Ok(transaction)
    }

    /// Runs a statement. Returns how many rows it changed.
    pub(crate) async fn execute(&mut self, statement: Statement<'_>) -> sqlx::Result<u64> {
        let done = run(Work::Statement, statement.execute(self.connection()?)).await?;
        self.state = State::Open;
        Ok(done.rows_affected())
    }

    /// Runs a statement to its end and returns all its rows.
    pub(crate) async fn fetch<R>(&mut self, statement: Selection<'_, R>) -> sqlx::Result<Vec<R>>
    where
        R: for<'r> FromRow<'r, AnyRow> + Send + Unpin,
    {
        let rows = run(Work::Statement, statement.fetch_all(self.connection()?)).await?;
        self.state = State::Open;
        Ok(rows)
    }

    /// Brings the tables up to date.
    pub(crate) async fn migrate(&mut self, migrator: &Migrator) -> Result<(), MigrateError> {
        // What `Migrator::run` does once it has a connection. Through `run` itself the future would not be `Send`,
        // as its bounds name a lifetime that the compiler cannot generalise.
        run(Work::Statement, migrator.run_direct(None, self.connection()?, false)).await?;
        self.state = State::Open;
        Ok(())
    }

    /// Commits. Once this returns without an error, what the statements did survives a crash.
    pub(crate) async fn commit(mut self) -> sqlx::Result<()> {
        run(Work::Commit, self.connection()?.execute("COMMIT")).await?;
        self.connection.is_good();
        Ok(())
    }

    /// The connection for the next statement, which takes back `Unknown` when it went well. Nothing runs after a
    /// failure: where the transaction is gone already, a further statement would be committed by itself.
    fn connection(&mut self) -> sqlx::Result<&mut AnyConnection> {
        match std::mem::replace(&mut self.state, State::Unknown) {
            State::Open => Ok(self.connection.open()),
            State::Unknown => {
                let reason = "an earlier statement of the transaction has failed";
                Err(sqlx::Error::Protocol(reason.to_owned()))
            }
        }
    }
}

/// What a statement is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// It begins a transaction.
    Begin,
    /// It reads or changes something.
    Statement,
    /// It ends a transaction.
    Commit,
}

/// Runs a statement; in a simulated world as that wants it.
pub(super) async fn run<T, E: From<sqlx::Error>>(
    work: Work,
    statement: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    #[cfg(test)]
    if let Some(world) = crate::simulator::current() {
        return world.runs(work, statement).await;
    }
    let _ = work;
    statement.await
}

/// A connection out of a pool. Dropped, it goes back only when its last statement is known to have gone well, and is closed
/// otherwise.
pub(super) struct Connection {
    connection: PoolConnection<Any>,
    good: bool,
}

impl Connection {
    /// The next one of `pool`.
    pub(super) async fn of(pool: &AnyPool) -> sqlx::Result<Self> {
        #[cfg(test)]
        if crate::simulator::current().is_some() {
            let connection = crate::simulator::connection_of(pool).await?;
            return Ok(Self { connection, good: false });
        }
        Ok(Self { connection: pool.acquire().await?, good: false })
    }

    /// What its next statement needs.
    pub(super) fn open(&mut self) -> &mut AnyConnection {
        &mut self.connection
    }

    /// Everything on it went well.
    pub(super) fn is_good(&mut self) {
        self.good = true;
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        #[cfg(test)]
        if crate::simulator::current().is_some() {
            return crate::simulator::give_back(&mut self.connection, self.good);
        }
        if !self.good {
            self.connection.close_on_drop();
        }
    }
}

#[cfg(test)]
mod tests {
    use sqlx::any::AnyPoolOptions;

    use super::{Connection, Transaction};

    #[tokio::test]
    async fn after_a_failed_statement_nothing_runs_and_nothing_is_committed() {
        sqlx::any::install_default_drivers();
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/flow.db?mode=rwc", folder.path().display());
        let pool = AnyPoolOptions::new().max_connections(1).connect(&url).await.unwrap();
        let begin = async || {
            let connection = Connection::of(&pool).await.unwrap();
            Transaction::begin(connection, "BEGIN IMMEDIATE").await.unwrap()
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
