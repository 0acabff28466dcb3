//! A database that takes every change and refuses to commit it, as a full disk does: a deferred constraint, on both
//! databases and without any rights.

use std::fmt::Write as _;

use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Executor as _};

use crate::database::Database;

/// Each change of each table notes a reference to a row that does not exist, which is looked at when it is committed.
const CONSTRAINT: &str = "CREATE TABLE missing (id BIGINT PRIMARY KEY); \
    CREATE TABLE refused (id BIGINT REFERENCES missing (id) DEFERRABLE INITIALLY DEFERRED);";

const POSTGRES_FUNCTION: &str = "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql \
    AS $$ BEGIN INSERT INTO refused VALUES (1); RETURN NULL; END $$;";

/// From now on no change of any table can be committed.
pub(super) async fn refuse_commits(database: &Database) {
    let mut connection = AnyConnection::connect(&database.url).await.unwrap();
    let postgres = connection.backend_name() == "PostgreSQL";
    let (query, refuse, mut statements) = if postgres {
        let query = "SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema()";
        let refuse = "FOR EACH ROW EXECUTE FUNCTION refuse()";
        (query, refuse, format!("{CONSTRAINT} {POSTGRES_FUNCTION}"))
    } else {
        let query = "SELECT name FROM sqlite_master WHERE type = 'table'";
        (query, "BEGIN INSERT INTO refused VALUES (1); END", CONSTRAINT.to_owned())
    };
    let tables: Vec<(String,)> = sqlx::query_as(query).fetch_all(&mut connection).await.unwrap();
    for (table,) in tables {
        for change in ["INSERT", "UPDATE", "DELETE"] {
            let name = format!("refuse_{table}_{change}");
            write!(statements, "CREATE TRIGGER {name} AFTER {change} ON {table} {refuse};")
                .unwrap();
        }
    }
    connection.execute(AssertSqlSafe(statements)).await.unwrap();
}

/// The row exists: from now on changes are committed.
pub(super) async fn accept_commits(database: &Database) {
    let mut connection = AnyConnection::connect(&database.url).await.unwrap();
    connection.execute("INSERT INTO missing VALUES (1)").await.unwrap();
}
