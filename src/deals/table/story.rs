//! All that is known of a deal, done or not.

use jiff::Timestamp;

use crate::db::{Db, timestamp};
use crate::deals::story::{self, GAP, Line};

/// A story that is longer than this many characters loses its middle: so much stays of its beginning, and of its end.
const LONGEST: usize = 6000;
const BEGINNING: usize = 600;
const END: usize = 4000;

/// The story of a deal with `line` at its end. Both are SQL.
pub(super) fn and(line: &str) -> String {
    format!(
        "CASE WHEN LENGTH(deals.story) <= {LONGEST} THEN deals.story ELSE SUBSTR(deals.story, 1, {BEGINNING}) || \
         '\n{GAP}\n' || SUBSTR(deals.story, LENGTH(deals.story) - {END}) END || {line}"
    )
}

/// A deal, whatever has become of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KnownDeal {
    /// Its key.
    pub(crate) key: String,
    /// The amoCRM lead, if it comes from one.
    pub(crate) lead_id: Option<i64>,
    /// The run that worked on it last.
    pub(crate) run_id: Option<String>,
    /// Its newest event.
    pub(crate) event_id: Option<String>,
    /// Its record.
    pub(crate) erp_id: Option<String>,
    /// That it gets no record: `dismissed` or `not_needed`.
    pub(crate) ended: Option<String>,
    /// Why the last attempt failed, or why it has ended.
    pub(crate) reason: Option<String>,
    /// When it was first reported.
    pub(crate) created_at: Timestamp,
    /// When something happened to it last.
    pub(crate) updated_at: Timestamp,
    /// What happened to it. Of what happened under an earlier version nothing is known.
    pub(crate) story: Vec<Line>,
}

/// The most deals that one search shows. With one record for each event a lead may have many.
const MOST: i64 = 50;

type Row = (
    String,
    Option<i64>,
    String,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    i64,
    i64,
    String,
);

/// The shortest text that is looked for in the stories: the ids of runs and events are longer.
const SHORTEST: usize = 20;

/// The deals that `asked` may name: a lead, a record in the ERP, a run, an event, or the key of a deal. The newest first.
pub(crate) async fn find(db: &Db, asked: &str) -> anyhow::Result<Vec<KnownDeal>> {
    let named =
        "lead_id = $1 OR erp_id = $2 OR run_id = $2 OR deal_key = $2 OR deal_key = 'run:' || $2";
    let found = find_where(db, named, asked).await?;
    let is_id = asked.len() >= SHORTEST && asked.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !found.is_empty() || !is_id {
        return Ok(found);
    }
    // An earlier run, or an event. No index knows it, so all stories are read, for a person who waits for it.
    find_where(db, "lead_id = $1 OR story LIKE '% ' || $2 || '%'", asked).await
}

async fn find_where(db: &Db, named: &str, asked: &str) -> anyhow::Result<Vec<KnownDeal>> {
    let sql = format!(
        "SELECT deal_key, lead_id, run_id, event_id, erp_id, ended, failure, created_at, updated_at, story FROM deals \
         WHERE {named} ORDER BY created_at DESC, deal_key LIMIT $3"
    );
    let query = sqlx::query_as(sqlx::AssertSqlSafe(sql));
    let lead = asked.parse::<i64>().ok();
    let rows: Vec<Row> = db.fetch(query.bind(lead).bind(asked).bind(MOST)).await?;
    rows.into_iter().map(deal).collect()
}

fn deal(
    (key, lead_id, run_id, event_id, erp_id, ended, reason, created_at, updated_at, story): Row,
) -> anyhow::Result<KnownDeal> {
    Ok(KnownDeal {
        key,
        lead_id,
        run_id: Some(run_id).filter(|run| !run.is_empty()),
        event_id,
        erp_id,
        ended,
        reason,
        created_at: timestamp(created_at)?,
        updated_at: timestamp(updated_at)?,
        story: story::lines(&story),
    })
}
