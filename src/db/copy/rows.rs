//! The rows of a table, a page at a time.

use anyhow::ensure;
use sqlx::any::{AnyArguments, AnyRow, AnyTypeInfoKind};
use sqlx::{Arguments as _, AssertSqlSafe, FromRow, Row as _, ValueRef as _};

use super::super::transaction::Transaction;
use super::catalog::{Column, Kind};

/// Few enough for a page of the largest webhooks to fit into memory.
const PAGE: usize = 20;

/// A value, whatever its column is.
#[derive(Debug, Clone)]
enum Value {
    Null,
    Text(String),
    Integer(i64),
    Blob(Vec<u8>),
}

struct Values(Vec<Value>);

impl<'r> FromRow<'r, AnyRow> for Values {
    fn from_row(row: &'r AnyRow) -> sqlx::Result<Self> {
        let value = |column: usize| {
            let raw = row.try_get_raw(column)?;
            if raw.is_null() {
                return Ok(Value::Null);
            }
            match raw.type_info().kind() {
                AnyTypeInfoKind::Text => row.try_get(column).map(Value::Text),
                AnyTypeInfoKind::Blob => row.try_get(column).map(Value::Blob),
                _ => row.try_get(column).map(Value::Integer),
            }
        };
        (0..row.len()).map(value).collect::<sqlx::Result<_>>().map(Self)
    }
}

/// Adds a value to those of a statement. PostgreSQL wants to know of what type a NULL is, and that bytes are bytes.
fn add(arguments: &mut AnyArguments, value: Value, kind: Kind) -> sqlx::Result<()> {
    let added = match (value, kind) {
        (Value::Null, Kind::Text) => arguments.add(None::<String>),
        (Value::Null, Kind::Integer) => arguments.add(None::<i64>),
        (Value::Null, Kind::Blob) => arguments.add(None::<Vec<u8>>),
        (Value::Text(text), Kind::Blob) => arguments.add(text.into_bytes()),
        (Value::Text(text), _) => arguments.add(text),
        (Value::Integer(number), _) => arguments.add(number),
        (Value::Blob(bytes), _) => arguments.add(bytes),
    };
    added.map_err(sqlx::Error::Encode)
}

/// Copies the rows of a table in the order of their primary key, and says after each page how many there were so far.
pub(super) async fn copy(
    table: &str,
    columns: &[Column],
    from: &mut Transaction,
    to: &mut Transaction,
    mut progress: impl FnMut(u64),
) -> anyhow::Result<()> {
    let mut key: Vec<usize> = (0..columns.len()).filter(|at| columns[*at].key.is_some()).collect();
    key.sort_by_key(|at| columns[*at].key);
    ensure!(!key.is_empty(), "the table {table} has no primary key");
    let names = |places: &mut dyn Iterator<Item = usize>| {
        places.map(|at| format!("\"{}\"", columns[at].name)).collect::<Vec<_>>().join(", ")
    };
    let marks =
        |count: usize| (1..=count).map(|at| format!("${at}")).collect::<Vec<_>>().join(", ");
    let (all, by) = (names(&mut (0..columns.len())), names(&mut key.iter().copied()));
    let select = |after: &str| {
        AssertSqlSafe(format!("SELECT {all} FROM \"{table}\" {after} ORDER BY {by} LIMIT {PAGE}"))
    };
    let insert = format!("INSERT INTO \"{table}\" ({all}) VALUES ({})", marks(columns.len()));
    let rest = format!("WHERE ({by}) > ({})", marks(key.len()));

    let (mut copied, mut last) = (0, None::<Values>);
    loop {
        let mut after = AnyArguments::default();
        for at in key.iter().filter(|_| last.is_some()) {
            let value = last.as_ref().map_or(Value::Null, |last| last.0[*at].clone());
            add(&mut after, value, columns[*at].kind)?;
        }
        let query = select(if last.is_some() { &rest } else { "" });
        let page: Vec<Values> = from.fetch(sqlx::query_as_with(query, after)).await?;
        let Some(end) = page.last() else { return Ok(()) };
        last = Some(Values(end.0.clone()));
        copied += page.len() as u64;
        for row in page {
            let mut values = AnyArguments::default();
            for (value, column) in row.0.into_iter().zip(columns) {
                add(&mut values, value, column.kind)?;
            }
            to.execute(sqlx::query_with(AssertSqlSafe(insert.clone()), values)).await?;
        }
        progress(copied);
    }
}
