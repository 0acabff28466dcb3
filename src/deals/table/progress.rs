//! Where a deal is on its way from the report to the ERP, and when it is sent again.

use functions::ports::{FailedDeal, WaitsFor};
use jiff::Timestamp;

use super::changes::of_delivery;
use super::story::and;
use super::{signed, stored};
use crate::db::{Db, Transaction, only};
use crate::deals::key::Dedupe;
use crate::deals::report::{Due, Obstacle, Report, Source};
use crate::deals::schedule::Schedule;
use crate::deals::story::What;

/// The wait of a deal that was sent again so many times, as SQL over the six waits of a [`Schedule`], bound from `$1` on.
const WAIT: &str = "CASE sends WHEN 0 THEN $1 WHEN 1 THEN $2 WHEN 2 THEN $3 WHEN 3 THEN $4 WHEN 4 THEN $5 ELSE $6 END";

/// A deal on its way: to its record, or to be compared with it.
const UNDER_WAY: &str = "(state <> 'done' OR payload IS NOT NULL)";

/// How long after reconciliation has found a lead its webhook may still come, in milliseconds: amoCRM repeats one for 95
/// minutes, and is hours late itself at times.
const WEBHOOK_MAY_COME: i64 = 12 * 60 * 60 * 1000;

/// A deal was reported, and the event `event_id` is on its way. A deal that has its record keeps it.
pub(crate) async fn reported(
    transaction: &mut Transaction,
    report: &Report<'_>,
    event_id: &str,
    now: Timestamp,
) -> sqlx::Result<()> {
    // Whatever an earlier run met, the new report is a new try. What is known of the record stays, and so does an earlier
    // report that names a stage: one that names none must not end the deal when the lead has moved on since.
    let sql = format!(
        "INSERT INTO deals (deal_key, lead_id, run_id, state, event_name, payload, names_stage, event_id, reported_at, \
                            webhook_missing, created_at, updated_at, story) \
         VALUES ($1, $2, '', 'open', $3, $4, $7, $5, COALESCE($8, $6), CASE WHEN $8 IS NULL THEN 0 ELSE 1 END, $6, $6, $9) \
         ON CONFLICT (deal_key) DO UPDATE SET event_name = excluded.event_name, \
             payload = CASE WHEN deals.ended IS NULL AND deals.names_stage > excluded.names_stage \
                 THEN COALESCE(deals.payload, excluded.payload) ELSE excluded.payload END, \
             names_stage = CASE WHEN deals.ended IS NULL AND deals.names_stage > excluded.names_stage \
                 THEN deals.names_stage ELSE excluded.names_stage END, \
             event_id = excluded.event_id, reported_at = excluded.reported_at, forwarded_at = NULL, due_at = NULL, \
             reports = deals.reports + 1, deleted_at = NULL, sends = 0, waits_for = NULL, ended = NULL, \
             updated_at = excluded.updated_at, story = {} \
         WHERE deals.state <> 'done'",
        and("excluded.story")
    );
    let (what, happened_at) = match report.source {
        Source::Webhook => (What::Webhook, None),
        // When it happened, and not when it was found: what has happened since is news.
        Source::Feed(at) => (What::Found, Some(at.as_millisecond())),
    };
    let line = what.line(now.as_millisecond(), &[event_id]);
    let reported = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(report.key)
        .bind(report.lead_id)
        .bind(report.event_name)
        .bind(report.payload)
        .bind(event_id)
        .bind(now.as_millisecond())
        .bind(i64::from(report.names_stage))
        .bind(happened_at)
        .bind(line.as_str());
    if transaction.execute(reported).await? == 0 {
        let sql = format!("UPDATE deals SET story = {} WHERE deal_key = $1", and("$2"));
        let again = sqlx::query(sqlx::AssertSqlSafe(sql));
        transaction.execute(again.bind(report.key).bind(line)).await?;
    }
    Ok(())
}

/// The webhook of a lead has come. True where reconciliation has reported the lead in its place, so that it tells of no other
/// deal. Each such report stands for one webhook: where this one tells of a later move, reconciliation finds that one, because
/// no report of it is known.
pub(crate) async fn webhook_came(
    transaction: &mut Transaction,
    lead_id: i64,
    now: Timestamp,
) -> sqlx::Result<bool> {
    let came = sqlx::query(
        "UPDATE deals SET webhook_missing = 0 WHERE webhook_missing = 1 AND deal_key = (SELECT MIN(deal_key) FROM deals \
         WHERE lead_id = $1 AND webhook_missing = 1 AND ended IS NULL AND created_at > $2)",
    );
    let since = now.as_millisecond().saturating_sub(WEBHOOK_MAY_COME);
    Ok(transaction.execute(came.bind(lead_id).bind(since)).await? > 0)
}

/// Inngest has accepted the event `event_id` of this deal: unless something is heard of it, it is sent again later. Nothing
/// changes when the deal has moved on, by a newer event or by the end of this one's run.
pub(crate) async fn forwarded(
    transaction: &mut Transaction,
    key: &str,
    event_id: &str,
    schedule: Schedule,
    now: Timestamp,
) -> sqlx::Result<()> {
    let sql = format!(
        "UPDATE deals SET forwarded_at = $7, due_at = $7 + {WAIT}, story = {} WHERE deal_key = $8 AND event_id = $9 \
         AND {UNDER_WAY} AND ended IS NULL AND due_at IS NULL AND COALESCE(waits_for, '') <> 'person'",
        and("$10")
    );
    let mut forwarded = sqlx::query(sqlx::AssertSqlSafe(sql));
    for wait in schedule.in_silence() {
        forwarded = forwarded.bind(wait);
    }
    let forwarded = forwarded.bind(now.as_millisecond()).bind(key).bind(event_id);
    let forwarded = forwarded.bind(What::Forwarded.line(now.as_millisecond(), &[event_id]));
    transaction.execute(forwarded).await.map(drop)
}

/// A run of the deal has ended without a record, or before its record was compared; the latter counts unless its lead was
/// reported since, and is about to be looked at for that. What waits for something is due as soon as that is there; the first time
/// at once, later after a wait, because what looked mended was not.
pub(in crate::deals) async fn note_failure(
    db: &Db,
    key: &str,
    lead_id: Option<u64>,
    failure: &FailedDeal,
    schedule: Schedule,
) -> anyhow::Result<()> {
    let (name, data) =
        failure.event.as_ref().map(|event| (event.name, event.data.to_string())).unzip();
    let sql = format!(
        "INSERT INTO deals (deal_key, lead_id, run_id, state, failure, waits_for, event_name, payload, due_at, created_at, \
                            updated_at, story) \
         VALUES ($8, $9, $10, 'open', $11, $12, $13, $14, CASE $12 WHEN 'person' THEN NULL ELSE $7 END, $7, $7, $15) \
         ON CONFLICT (deal_key) DO UPDATE SET failure = excluded.failure, run_id = excluded.run_id, \
             waits_for = excluded.waits_for, event_name = COALESCE(deals.event_name, excluded.event_name), \
             payload = COALESCE(deals.payload, excluded.payload), \
             due_at = CASE $12 WHEN 'person' THEN NULL ELSE $7 + {WAIT} END, forwarded_at = NULL, \
             updated_at = excluded.updated_at, story = {} \
         WHERE (deals.state <> 'done' OR (deals.payload IS NOT NULL AND deals.event_id IS NOT NULL)) AND deals.ended IS NULL",
        and("excluded.story")
    );
    let (now, waiting) = (db.now(), failure.waits_for.map(stored));
    let mut noted = sqlx::query(sqlx::AssertSqlSafe(sql.replace("CASE sends", "CASE deals.sends")));
    for wait in schedule.after_failure() {
        noted = noted.bind(wait);
    }
    let noted = noted
        .bind(now)
        .bind(key)
        .bind(signed(lead_id)?)
        .bind(failure.run_id.as_str())
        .bind(failure.reason.as_str())
        .bind(waiting)
        .bind(name)
        .bind(data)
        .bind(What::Failed.line(now, &[waiting.unwrap_or_default(), &failure.run_id]));
    db.commit(noted).await.map(drop)
}

/// The deal needs no record. One that may have a record is not forgotten this way, nor one that was reported with the stage
/// that makes it.
pub(in crate::deals) async fn not_needed(
    db: &Db,
    key: &str,
    lead_id: Option<u64>,
    reason: &str,
) -> anyhow::Result<()> {
    let now = db.now();
    let sql = format!(
        "INSERT INTO deals (deal_key, lead_id, run_id, state, names_stage, ended, failure, created_at, updated_at, story) \
         VALUES ($1, $2, '', 'open', 0, 'not_needed', $3, $4, $4, $5) \
         ON CONFLICT (deal_key) DO UPDATE SET ended = excluded.ended, failure = excluded.failure, due_at = NULL, \
             waits_for = NULL, updated_at = excluded.updated_at, story = {} \
         WHERE deals.state = 'open' AND deals.names_stage = 0",
        and("excluded.story")
    );
    let ended = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(key)
        .bind(signed(lead_id)?)
        .bind(reason)
        .bind(now)
        .bind(What::NotNeeded.line(now, &[]));
    db.commit(ended).await.map(drop)
}

/// Inngest refuses the event of the deal: a person must look. A deal that has its record keeps it.
pub(crate) async fn refused_by_inngest(
    transaction: &mut Transaction,
    key: &str,
    reason: &str,
    now: Timestamp,
) -> sqlx::Result<()> {
    let sql = format!(
        "UPDATE deals SET failure = $2, waits_for = 'person', due_at = NULL, updated_at = $3, story = {} \
         WHERE deal_key = $1 AND {UNDER_WAY} AND ended IS NULL",
        and("$4")
    );
    let refused = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(key)
        .bind(reason)
        .bind(now.as_millisecond())
        .bind(What::RefusedByInngest.line(now.as_millisecond(), &[]));
    transaction.execute(refused).await.map(drop)
}

/// Inngest has lost what it was given: the deals that it has are due at once. Returns how many.
pub(crate) async fn forwarded_in_vain(db: &Db) -> anyhow::Result<u64> {
    let now = db.now();
    let sql = format!(
        "UPDATE deals SET due_at = $1, story = {} WHERE forwarded_at IS NOT NULL AND due_at > $1 AND waits_for IS NULL \
         AND {UNDER_WAY} AND ended IS NULL",
        and("$2")
    );
    let lost = sqlx::query(sqlx::AssertSqlSafe(sql));
    db.commit(lost.bind(now).bind(What::Lost.line(now, &[]))).await
}

/// The keys of at most `limit` deals that are to be sent again, in their own order: so two replicas that take them never wait
/// for each other. These are deals that are due and wait for nothing that is still away; and of those whose run has failed
/// because of what is only just back, all.
pub(crate) async fn due(
    transaction: &mut Transaction,
    obstacles: &[(WaitsFor, Obstacle)],
    limit: u32,
    now: Timestamp,
) -> sqlx::Result<Vec<String>> {
    let is = |waits_for, states: &[Obstacle]| {
        let gone =
            obstacles.iter().any(|(this, state)| *this == waits_for && states.contains(state));
        if gone { stored(waits_for) } else { "" }
    };
    let gone = |waits_for| is(waits_for, &[Obstacle::Gone, Obstacle::JustGone]);
    let just_gone = |waits_for| is(waits_for, &[Obstacle::JustGone]);
    let due = sqlx::query_as(
        "SELECT deal_key FROM deals WHERE due_at IS NOT NULL AND ended IS NULL AND payload IS NOT NULL \
         AND (due_at <= $1 AND (waits_for IS NULL OR waits_for IN ($2, $3, $4)) \
             OR forwarded_at IS NULL AND waits_for IN ($5, $6, $7)) ORDER BY due_at LIMIT $8",
    )
    .bind(now.as_millisecond())
    .bind(gone(WaitsFor::Erp))
    .bind(gone(WaitsFor::AmoCrm))
    .bind(gone(WaitsFor::Consent))
    .bind(just_gone(WaitsFor::Erp))
    .bind(just_gone(WaitsFor::AmoCrm))
    .bind(just_gone(WaitsFor::Consent))
    .bind(i64::from(limit));
    let mut keys: Vec<(String,)> = transaction.fetch(due).await?;
    keys.sort_unstable();
    Ok(keys.into_iter().map(|(key,)| key).collect())
}

/// The event `event_id` of a deal that was [due] is on its way: the deal is not due any more and waits for nothing. `None`:
/// another replica was faster.
pub(crate) async fn queue(
    transaction: &mut Transaction,
    key: &str,
    event_id: &str,
    now: Timestamp,
) -> sqlx::Result<Option<Due>> {
    let sql = format!(
        "UPDATE deals SET event_id = $2, due_at = NULL, forwarded_at = NULL, waits_for = NULL, sends = sends + 1, \
         updated_at = $3, story = {} \
         WHERE deal_key = $1 AND due_at IS NOT NULL AND payload IS NOT NULL AND ended IS NULL \
         RETURNING lead_id, event_name, payload, state",
        and("CASE state WHEN 'done' THEN $4 ELSE $5 END")
    );
    let queue = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(key)
        .bind(event_id)
        .bind(now.as_millisecond())
        .bind(What::Looked.line(now.as_millisecond(), &[event_id]))
        .bind(What::Resent.line(now.as_millisecond(), &[event_id]));
    let rows: Vec<(Option<i64>, String, String, String)> = transaction.fetch(queue).await?;
    let due = |(lead_id, event_name, payload, state): (_, _, String, String)| {
        let payload = if state == "done" { of_delivery(&payload, key) } else { payload };
        Due { key: key.to_owned(), lead_id, event_name, payload }
    };
    Ok(rows.into_iter().next().map(due))
}

/// What deals wait for, apart from people.
pub(crate) async fn waited_for(db: &Db) -> anyhow::Result<Vec<WaitsFor>> {
    let sql = format!(
        "SELECT DISTINCT waits_for FROM deals WHERE {UNDER_WAY} AND ended IS NULL AND due_at IS NOT NULL \
         AND waits_for IS NOT NULL AND waits_for <> 'person'"
    );
    let rows: Vec<(String,)> = db.fetch(sqlx::query_as(sqlx::AssertSqlSafe(sql))).await?;
    rows.iter().map(|(waits_for,)| super::waits_for(waits_for)).collect()
}

/// Whether a lead has a deal, with its record or without, or one that has ended.
pub(crate) async fn has_deal(db: &Db, lead_id: u64) -> anyhow::Result<bool> {
    let query = sqlx::query_as("SELECT COUNT(*) FROM deals WHERE lead_id = $1");
    let (deals,): (i64,) = only(db.fetch(query.bind(signed(Some(lead_id))?)).await?)?;
    Ok(deals > 0)
}

/// Whether nothing more has to be done for a lead to which something happened at `time`: it has its record, its deal is on
/// the way or listed, or it was reported since. With one record for each event only the last counts. A lead that was deleted
/// may have been restored.
pub(crate) async fn is_accounted_for(
    db: &Db,
    lead_id: u64,
    time: Timestamp,
    dedupe: Dedupe,
) -> anyhow::Result<bool> {
    let query = sqlx::query_as(
        "SELECT COUNT(*) FROM deals WHERE lead_id = $1 AND (COALESCE(reported_at, created_at) >= $2 \
             OR ($3 = 1 AND (state = 'done' OR ended IS NULL))) AND COALESCE(ended, '') <> 'deleted'",
    )
    .bind(signed(Some(lead_id))?)
    .bind(time.as_millisecond())
    .bind(i64::from(dedupe == Dedupe::Lead));
    let (deals,): (i64,) = only(db.fetch(query).await?)?;
    Ok(deals > 0)
}
