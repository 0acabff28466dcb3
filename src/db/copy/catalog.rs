//! The tables of a database, as it knows them itself: none can be forgotten.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail};
use sqlx::AssertSqlSafe;

use super::super::only;
use super::super::pools::Dialect;
use super::super::transaction::Transaction;

/// All tables with their columns.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Catalog(pub(super) BTreeMap<String, Vec<Column>>);

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: Kind,
    /// Its place in the primary key.
    pub(super) key: Option<i64>,
}

/// What a column holds. The tables have no other types, and no column that counts by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Text,
    Integer,
    Blob,
}

const OF_SQLITE: &str = "SELECT t.name, c.name, c.type, c.pk FROM sqlite_master t, pragma_table_info(t.name) c \
                         WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%' AND t.name <> '_sqlx_migrations'";

const OF_POSTGRES: &str = "SELECT t.relname::text, c.attname::text, format_type(c.atttypid, NULL), \
                           COALESCE(array_position(k.conkey, c.attnum), 0)::bigint \
                           FROM pg_class t JOIN pg_attribute c ON c.attrelid = t.oid \
                           LEFT JOIN pg_constraint k ON k.conrelid = t.oid AND k.contype = 'p' \
                           WHERE t.relnamespace = current_schema()::regnamespace AND t.relkind = 'r' \
                           AND c.attnum > 0 AND NOT c.attisdropped AND t.relname <> '_sqlx_migrations'";

/// Which table refers to which.
const REFERENCES_OF_SQLITE: &str = "SELECT t.name, r.\"table\" FROM sqlite_master t, pragma_foreign_key_list(t.name) r \
                                    WHERE t.type = 'table'";

const REFERENCES_OF_POSTGRES: &str = "SELECT t.relname::text, r.relname::text FROM pg_constraint k \
                                      JOIN pg_class t ON t.oid = k.conrelid JOIN pg_class r ON r.oid = k.confrelid \
                                      WHERE k.contype = 'f' AND t.relnamespace = current_schema()::regnamespace";

impl Catalog {
    pub(super) async fn of(
        transaction: &mut Transaction,
        dialect: Dialect,
    ) -> anyhow::Result<Self> {
        let query = match dialect {
            Dialect::Sqlite => OF_SQLITE,
            Dialect::Postgres => OF_POSTGRES,
        };
        let rows = transaction.fetch(sqlx::query_as(query)).await;
        let rows: Vec<(String, String, String, i64)> = rows.context("no list of tables")?;
        let mut tables = BTreeMap::<_, Vec<_>>::new();
        for (table, name, kind, key) in rows {
            let kind = match kind.to_ascii_lowercase().as_str() {
                "text" => Kind::Text,
                "bigint" => Kind::Integer,
                "blob" | "bytea" => Kind::Blob,
                other => bail!("{table}.{name} is of a type that cannot be copied: {other}"),
            };
            let key = Some(key).filter(|key| *key > 0);
            tables.entry(table).or_default().push(Column { name, kind, key });
        }
        for columns in tables.values_mut() {
            columns.sort();
        }
        Ok(Self(tables))
    }

    /// The tables, each after those to which it refers.
    pub(super) async fn in_order(
        &self,
        transaction: &mut Transaction,
        dialect: Dialect,
    ) -> anyhow::Result<Vec<&str>> {
        let query = match dialect {
            Dialect::Sqlite => REFERENCES_OF_SQLITE,
            Dialect::Postgres => REFERENCES_OF_POSTGRES,
        };
        let references: Vec<(String, String)> =
            transaction.fetch(sqlx::query_as(query)).await.context("no list of references")?;
        let mut ordered: Vec<&str> = Vec::new();
        while ordered.len() < self.0.len() {
            let is_next = |table: &&str| {
                let mut needed =
                    references.iter().filter(|(from, to)| from == table && to != table);
                !ordered.contains(table) && needed.all(|(_, to)| ordered.contains(&to.as_str()))
            };
            let next = self.0.keys().map(String::as_str).find(is_next);
            ordered.push(next.context("the tables refer to each other in a circle")?);
        }
        Ok(ordered)
    }
}

/// How many rows a table has.
pub(super) async fn count(transaction: &mut Transaction, table: &str) -> anyhow::Result<i64> {
    let count = AssertSqlSafe(format!("SELECT COUNT(*) FROM \"{table}\""));
    let (count,): (i64,) = only(transaction.fetch(sqlx::query_as(count)).await?)?;
    Ok(count)
}
