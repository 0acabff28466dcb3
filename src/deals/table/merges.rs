//! Leads that become a part of another one: one deal stays one record.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::changes::{look_at, look_due};
use super::story::and;
use crate::db::Transaction;
use crate::deals::difference::Difference;
use crate::deals::key::{Dedupe, key_of_lead};
use crate::deals::story::What;

/// A record that `$2`, a lead, takes over: that of a lead which has become a part of it.
const RECORD: &str = "FROM deals m WHERE m.merged_into = $2 AND m.state = 'done'";

/// What a deal becomes that takes over such a record. It is compared with it soon: `$3` is the event, `$4` when, `$5` now;
/// `$6` is how the line of its story begins.
fn taken_over() -> String {
    let story = and(&format!(
        "$6 || (SELECT COALESCE(m.erp_id, '-') {RECORD} ORDER BY m.deal_key LIMIT 1) || '\n'"
    ));
    format!(
        "state = 'done', erp_id = (SELECT m.erp_id {RECORD} ORDER BY m.deal_key LIMIT 1), \
         reply = (SELECT m.reply {RECORD} ORDER BY m.deal_key LIMIT 1), \
         recorded = (SELECT m.recorded {RECORD} ORDER BY m.deal_key LIMIT 1), \
         updating = (SELECT m.updating {RECORD} ORDER BY m.deal_key LIMIT 1), \
         fence = deals.fence + 1, claimed_until = NULL, look_after = NULL, failure = NULL, waits_for = NULL, ended = NULL, \
         event_id = NULL, forwarded_at = NULL, sends = -1, event_name = 'amocrm/webhook', payload = $3, due_at = $4, \
         updated_at = $5, story = {story}"
    )
}

/// The lead `gone` has become a part of `survivor`. A record that it has is the survivor's from now on, whose own creation
/// becomes a duplicate. Where both have one, both are listed. Returns the data of the events of deals of `gone` that have no
/// record, and end: they are the survivor's, too.
pub(crate) async fn merged(
    transaction: &mut Transaction,
    survivor: u64,
    gone: u64,
    dedupe: Dedupe,
    now: Timestamp,
) -> anyhow::Result<Vec<(String, String)>> {
    let (survivor_id, gone_id) = (i64::try_from(survivor)?, i64::try_from(gone)?);
    // In the order of their keys, so that two replicas never wait for each other.
    for lead in BTreeSet::from([survivor, gone].map(|lead| key_of_lead(lead, "", Dedupe::Lead))) {
        let lock = sqlx::query("UPDATE deals SET merged_into = merged_into WHERE deal_key = $1");
        transaction.execute(lock.bind(lead)).await?;
    }
    // With one record for each event nothing is taken over, and what the lead has stays listed.
    let listed = match dedupe {
        Dedupe::Lead => None,
        Dedupe::Event => Some(serde_json::to_string(&Difference::Deleted)?),
    };
    let sql = format!(
        "UPDATE deals SET merged_into = $1, story = {}, difference = CASE WHEN state = 'done' THEN $3 ELSE difference END, \
         payload = CASE WHEN state = 'done' THEN NULL ELSE payload END, \
         due_at = CASE WHEN state = 'done' THEN NULL ELSE due_at END, \
         failure = CASE WHEN state = 'done' THEN NULL ELSE failure END, \
         waits_for = CASE WHEN state = 'done' THEN NULL ELSE waits_for END WHERE lead_id = $2",
        and("$4")
    );
    let line = What::Merged.line(now.as_millisecond(), &[&survivor.to_string()]);
    let merge = sqlx::query(sqlx::AssertSqlSafe(sql));
    transaction.execute(merge.bind(survivor_id).bind(gone_id).bind(listed).bind(line)).await?;
    let end = sqlx::query_as(
        "UPDATE deals SET ended = 'merged', due_at = NULL, waits_for = NULL, failure = NULL, updated_at = $2 \
         WHERE lead_id = $1 AND state = 'open' AND ended IS NULL AND (claimed_until IS NULL OR claimed_until <= $2) \
         RETURNING deal_key, COALESCE(payload, '')",
    );
    let ended = transaction.fetch(end.bind(gone_id).bind(now.as_millisecond())).await?;
    if dedupe == Dedupe::Lead {
        take_over(transaction, &key_of_lead(survivor, "", dedupe), survivor, now).await?;
        two_records(transaction, survivor_id).await?;
    }
    Ok(ended)
}

/// The deal `key` of `lead` takes over the record of a lead that has become a part of it, where there is one, unless it has
/// or may have one of its own, or is being sent.
pub(super) async fn take_over(
    transaction: &mut Transaction,
    key: &str,
    lead: u64,
    now: Timestamp,
) -> anyhow::Result<()> {
    let taken_over = taken_over();
    let sql = format!(
        "INSERT INTO deals (deal_key, lead_id, run_id, state, erp_id, reply, recorded, updating, event_name, payload, due_at, \
                            sends, created_at, updated_at, story) \
         SELECT $1, $2, '', 'done', m.erp_id, m.reply, m.recorded, m.updating, 'amocrm/webhook', $3, $4, -1, $5, $5, \
             $6 || COALESCE(m.erp_id, '-') || '\n' \
         {RECORD} ORDER BY m.deal_key LIMIT 1 \
         ON CONFLICT (deal_key) DO UPDATE SET {taken_over} \
         WHERE deals.state = 'open' AND (deals.claimed_until IS NULL OR deals.claimed_until <= $5)"
    );
    run(transaction, &sql, key, lead, now, None).await
}

/// The same for a deal that is claimed under `fence`, and of which a look-up has shown that it has no record of its own.
pub(super) async fn take_over_claimed(
    transaction: &mut Transaction,
    key: &str,
    lead: u64,
    fence: i64,
    now: Timestamp,
) -> anyhow::Result<()> {
    let taken_over = taken_over();
    let sql = format!(
        "UPDATE deals SET {taken_over} WHERE deal_key = $1 AND state <> 'done' AND fence = $7 AND EXISTS (SELECT 1 {RECORD})"
    );
    run(transaction, &sql, key, lead, now, Some(fence)).await
}

async fn run(
    transaction: &mut Transaction,
    sql: &str,
    key: &str,
    lead: u64,
    now: Timestamp,
    fence: Option<i64>,
) -> anyhow::Result<()> {
    // With one record for each event nothing is taken over.
    if key != key_of_lead(lead, "", Dedupe::Lead) {
        return Ok(());
    }
    let query = sqlx::query(sqlx::AssertSqlSafe(sql.to_owned()))
        .bind(key)
        .bind(i64::try_from(lead)?)
        .bind(look_at(lead))
        .bind(look_due(now))
        .bind(now.as_millisecond())
        .bind(What::TookOver.line(now.as_millisecond(), &[]).replace('\n', " "));
    let query = match fence {
        Some(fence) => query.bind(fence),
        None => query,
    };
    if transaction.execute(query).await? > 0 {
        tracing::info!(
            deal = key,
            "the record of a lead that has become a part of this one is taken over"
        );
    }
    Ok(())
}

/// Lists each lead that has become a part of another one where both have a record of their own, as far as `lead` is one of
/// them.
pub(super) async fn two_records(transaction: &mut Transaction, lead: i64) -> anyhow::Result<()> {
    let other = "FROM deals s WHERE s.deal_key = 'lead:' || deals.merged_into AND s.state = 'done' \
                 AND s.erp_id <> deals.erp_id";
    let sql = format!(
        "UPDATE deals SET difference = '{{\"kind\":\"merged\",\"lead\":' || merged_into || ',\"record\":\"' || \
             (SELECT s.erp_id {other} ORDER BY s.deal_key LIMIT 1) || '\"}}' \
         WHERE merged_into IS NOT NULL AND (lead_id = $1 OR merged_into = $1) AND state = 'done' \
         AND deal_key = 'lead:' || lead_id \
         AND EXISTS (SELECT 1 {other})"
    );
    transaction.execute(sqlx::query(sqlx::AssertSqlSafe(sql)).bind(lead)).await?;
    Ok(())
}
