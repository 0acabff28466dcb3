use sqlx::{AnyConnection, AssertSqlSafe, Executor as _};
use tokio::sync::Mutex;

/// Commits of a PostgreSQL that take as long as this value lives, see [`Database::hold_commits`](crate::Database::hold_commits).
#[derive(Debug)]
pub struct HeldCommits {
    /// Its session holds the lock that the commits wait for.
    connection: Mutex<AnyConnection>,
}

impl HeldCommits {
    pub(crate) async fn of(table: &str, mut connection: AnyConnection) -> anyhow::Result<Self> {
        connection.execute("SELECT pg_advisory_lock(hashtext(current_schema()))::text").await?;
        // A constraint that is deferred is looked at by `COMMIT`.
        let statements = format!(
            "CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             PERFORM pg_advisory_xact_lock_shared(hashtext(current_schema())); RETURN NULL; END $$; \
             CREATE CONSTRAINT TRIGGER hold AFTER INSERT OR UPDATE ON {table} \
             DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION hold();"
        );
        connection.execute(AssertSqlSafe(statements)).await?;
        Ok(Self { connection: Mutex::new(connection) })
    }

    /// How many sessions wait: in their commits for this value, or for a table.
    pub async fn waiting(&self) -> anyhow::Result<usize> {
        let query = "SELECT pid::bigint FROM pg_locks LEFT JOIN pg_class ON pg_class.oid = relation \
             WHERE NOT granted AND (relnamespace = current_schema()::regnamespace \
             OR (locktype = 'advisory' AND objid = hashtext(current_schema())::bit(32)::bigint::oid))";
        let mut connection = self.connection.lock().await;
        let sessions: Vec<(i64,)> = sqlx::query_as(query).fetch_all(&mut *connection).await?;
        Ok(sessions.len())
    }
}
