//! What a person decides about deals that are not done.

use super::differing::DIFFERING;
use super::merges::two_records;
use super::signed;
use super::story::and;
use crate::db::{Selection, Transaction};
use crate::deals::review::{Resolution, Which};
use crate::deals::story::What;
use crate::erp::reply_with_id;

/// The deals that `$1` (a key, or empty) and `$2` (a lead, or 0) name, and that are not being sent at this moment, `$3`.
const NAMED: &str = "($1 = '' OR deal_key = $1) AND ($2 = 0 OR lead_id = $2) \
                     AND (claimed_until IS NULL OR claimed_until <= $3)";

/// Those of them that have no record.
const UNDONE: &str = "state <> 'done'";

/// Makes deals due: failed ones, those that something is waited for, and, where they are named, ended ones. Returns their
/// keys.
pub(crate) async fn retry(
    transaction: &mut Transaction,
    which: &Which,
    now: i64,
) -> anyhow::Result<Vec<String>> {
    let sql = format!(
        "UPDATE deals SET due_at = $3, waits_for = NULL, ended = NULL, updated_at = $3, story = {} WHERE {NAMED} \
         AND payload IS NOT NULL AND (ended IS NULL OR $4 = 0) \
         AND (due_at IS NOT NULL OR waits_for IS NOT NULL OR ended IS NOT NULL) \
         AND ({UNDONE} OR failure IS NOT NULL) RETURNING deal_key",
        and("$5")
    );
    let all = i64::from(*which == Which::All);
    let line = What::Retried.line(now, &[]);
    chosen(transaction, sql, which, now, |query| query.bind(all).bind(line)).await
}

/// Ends deals without a record; of those that have one, what differs between it and amoCRM is listed no more. Returns their
/// keys.
pub(crate) async fn dismiss(
    transaction: &mut Transaction,
    which: &Which,
    why: &str,
    now: i64,
) -> anyhow::Result<Vec<String>> {
    let sql = format!(
        "UPDATE deals SET ended = 'dismissed', failure = $4, due_at = NULL, waits_for = NULL, updated_at = $3, story = {} \
         WHERE {NAMED} AND {UNDONE} AND ended IS NULL RETURNING deal_key",
        and("$5")
    );
    let line = What::Dismissed.line(now, &[]);
    let mut dismissed =
        chosen(transaction, sql, which, now, |query| query.bind(why).bind(line.clone())).await?;
    let sql = format!(
        "UPDATE deals SET dismissed = difference, due_at = CASE WHEN failure IS NULL THEN due_at END, \
         payload = CASE WHEN failure IS NULL THEN payload END, failure = NULL, waits_for = NULL, updated_at = $3, \
         story = {} WHERE {NAMED} AND {DIFFERING} RETURNING deal_key",
        and("$4")
    );
    dismissed.extend(chosen(transaction, sql, which, now, |query| query.bind(line)).await?);
    Ok(dismissed)
}

/// Ends a doubt: with the record that was found; or without one, and then the deal is due. Returns the keys of the deals:
/// several when the choice was not clear, and then nothing must be committed.
pub(crate) async fn resolve(
    transaction: &mut Transaction,
    which: &Which,
    found: &Resolution,
    now: i64,
) -> anyhow::Result<Vec<String>> {
    let (state, erp_id, line) = match found {
        Resolution::Exists(id) => ("done", Some(id.as_str()), What::Resolved.line(now, &[id])),
        Resolution::Absent => ("open", None, What::Absent.line(now, &[])),
    };
    let reply = erp_id.map(|id| reply_with_id(id).to_string());
    // The fence moves on: who still holds an old claim must not decide any more.
    let sql = format!(
        "UPDATE deals SET state = $4, erp_id = $5, reply = $6, attempt = 0, fence = fence + 1, look_after = NULL, \
         claimed_until = NULL, failure = NULL, waits_for = NULL, ended = NULL, updated_at = $3, \
         due_at = CASE WHEN $4 = 'open' AND payload IS NOT NULL THEN $3 END, \
         payload = CASE WHEN $4 = 'open' THEN payload END, recorded_at = CASE WHEN $4 = 'done' THEN $3 END, story = {} \
         WHERE {NAMED} AND {UNDONE} RETURNING deal_key",
        and("$7")
    );
    let resolved = chosen(transaction, sql, which, now, |query| {
        query.bind(state).bind(erp_id).bind(reply).bind(line)
    });
    let resolved = resolved.await?;
    if let Which::Lead(lead) = which {
        two_records(transaction, i64::try_from(*lead)?).await?;
    }
    Ok(resolved)
}

type Chosen<'q> = Selection<'q, (String,)>;

async fn chosen<'q>(
    transaction: &mut Transaction,
    sql: String,
    which: &'q Which,
    now: i64,
    bind: impl FnOnce(Chosen<'q>) -> Chosen<'q>,
) -> anyhow::Result<Vec<String>> {
    let (key, lead) = match which {
        Which::Key(key) => (key.as_str(), None),
        Which::Lead(lead) => ("", Some(*lead)),
        Which::All => ("", None),
    };
    let query = sqlx::query_as(sqlx::AssertSqlSafe(sql));
    let query = query.bind(key).bind(signed(lead)?.unwrap_or(0)).bind(now);
    let rows = transaction.fetch(bind(query)).await?;
    Ok(rows.into_iter().map(|(key,)| key).collect())
}
