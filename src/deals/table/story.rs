//! All that is known of a deal, done or not.

use jiff::Timestamp;

use crate::db::{Db, timestamp};

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
);

/// The deals that `asked` may name: a lead, a record in the ERP, a run, or the key of a deal. The newest first.
pub(crate) async fn find(db: &Db, asked: &str) -> anyhow::Result<Vec<KnownDeal>> {
    let query = sqlx::query_as(
        "SELECT deal_key, lead_id, run_id, event_id, erp_id, ended, failure, created_at, updated_at FROM deals \
         WHERE lead_id = $1 OR erp_id = $2 OR run_id = $2 OR deal_key = $2 OR deal_key = 'run:' || $2 \
         ORDER BY created_at DESC, deal_key LIMIT $3",
    );
    let lead = asked.parse::<i64>().ok();
    let rows: Vec<Row> = db.fetch(query.bind(lead).bind(asked).bind(MOST)).await?;
    rows.into_iter().map(deal).collect()
}

fn deal(
    (key, lead_id, run_id, event_id, erp_id, ended, reason, created_at, updated_at): Row,
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
    })
}
