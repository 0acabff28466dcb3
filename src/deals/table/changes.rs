//! What happens to a lead after its deal was reported: changes of it are marked, the record is compared with it, and what
//! amoCRM has is written into the record. A deal that is done and has a payload is on its way to be compared.

use std::time::Duration;

use functions::ports::{Gone, Reading};
use functions::webhook::Change;
use jiff::Timestamp;

use super::lease::Lease;
use super::story::and;
use crate::db::{Db, Transaction, only};
use crate::deals::difference::{Difference, Record};
use crate::deals::story::What;
use crate::erp::Values;

/// Edits come in bursts: all that happen to a lead within this time are one look.
const BURST: Duration = Duration::from_secs(60);

/// The data of the event by which the lead of a deal is compared with its record. What names the deal is added when the event
/// is queued.
pub(super) fn look_at(lead_id: u64) -> String {
    format!("{{\"leadId\":{lead_id},\"action\":\"update\"}}")
}

/// The same for the deal `key`, where several deals of the lead are told apart by what reported them.
pub(super) fn of_delivery(payload: &str, key: &str) -> String {
    match (key.split_once(":event:"), payload.strip_suffix('}')) {
        (Some((_, delivery)), Some(start)) => format!("{start},\"deliveryId\":\"{delivery}\"}}"),
        _ => payload.to_owned(),
    }
}

/// When a lead is looked at that was reported now.
pub(super) fn look_due(now: Timestamp) -> i64 {
    now.as_millisecond().saturating_add(i64::try_from(BURST.as_millis()).unwrap_or(i64::MAX))
}

/// Notes that a lead was changed or deleted, with each of its deals. Those that have their record are compared with it, a
/// minute after the first change of a burst. Returns how many deals there are.
pub(crate) async fn changed(
    transaction: &mut Transaction,
    change: Change,
    now: Timestamp,
) -> anyhow::Result<u64> {
    let what = if change.deleted { What::DeletionReported } else { What::Changed };
    let sql = format!(
        "UPDATE deals SET reports = reports + 1, story = {}, \
         deleted_at = CASE WHEN $5 = 1 THEN $2 ELSE deleted_at END, \
         due_at = CASE WHEN state <> 'done' OR (payload IS NOT NULL AND event_id IS NULL AND due_at <= $3) THEN due_at \
             ELSE $3 END, \
         payload = CASE WHEN state = 'done' THEN $4 ELSE payload END, \
         event_name = CASE WHEN state = 'done' THEN 'amocrm/webhook' ELSE event_name END, \
         event_id = CASE WHEN state = 'done' THEN NULL ELSE event_id END, \
         forwarded_at = CASE WHEN state = 'done' THEN NULL ELSE forwarded_at END, \
         sends = CASE WHEN state = 'done' THEN -1 ELSE sends END, \
         failure = CASE WHEN state = 'done' THEN NULL ELSE failure END, \
         waits_for = CASE WHEN state = 'done' THEN NULL ELSE waits_for END \
         WHERE lead_id = $1 AND merged_into IS NULL",
        and("$6")
    );
    let changed = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(i64::try_from(change.lead_id)?)
        .bind(now.as_millisecond())
        .bind(look_due(now))
        .bind(look_at(change.lead_id))
        .bind(i64::from(change.deleted))
        .bind(what.line(now.as_millisecond(), &[]));
    Ok(transaction.execute(changed).await?)
}

/// What is known of a deal whose lead is about to be read.
pub(in crate::deals) async fn reading(db: &Db, key: &str) -> anyhow::Result<Reading> {
    let query = "SELECT reports, CASE state WHEN 'done' THEN 1 ELSE 0 END, \
                        CASE WHEN deleted_at IS NULL AND merged_into IS NULL THEN 0 ELSE 1 END FROM deals WHERE deal_key = $1";
    let rows: Vec<(i64, i64, i64)> = db.fetch(sqlx::query_as(query).bind(key)).await?;
    let Some((reports, has_record, is_deleted)) = rows.into_iter().next() else {
        return Ok(Reading::default());
    };
    let reports = u64::try_from(reports)?;
    Ok(Reading { reports, has_record: has_record == 1, is_deleted: is_deleted == 1 })
}

/// The record of a deal; `None` when it has none.
pub(in crate::deals) async fn record(db: &Db, key: &str) -> anyhow::Result<Option<Record>> {
    let query = "SELECT COALESCE(erp_id, ''), COALESCE(reply, 'null'), recorded, updating, difference \
                 FROM deals WHERE deal_key = $1 AND state = 'done'";
    type Row = (String, String, Option<String>, Option<String>, Option<String>);
    let rows: Vec<Row> = db.fetch(sqlx::query_as(query).bind(key)).await?;
    let Some((erp_id, reply, recorded, updating, difference)) = rows.into_iter().next() else {
        return Ok(None);
    };
    Ok(Some(Record {
        erp_id,
        reply: serde_json::from_str(&reply)?,
        // What a later version has written is not known to this one.
        recorded: recorded.and_then(|values| serde_json::from_str(&values).ok()),
        is_updating: updating.is_some(),
        difference: difference.and_then(|difference| serde_json::from_str(&difference).ok()),
    }))
}

/// Notes how a record and its lead differ, as they were when `reports` reports were known. The deal is not looked at again
/// unless more was reported. Nothing changes where a newer comparison was noted.
pub(in crate::deals) async fn compared(
    db: &Db,
    key: &str,
    reports: u64,
    difference: Option<&Difference>,
    run_id: &str,
) -> anyhow::Result<()> {
    let now = db.now();
    let what = if difference.is_some() { What::Differs } else { What::Same };
    let sql = format!(
        "UPDATE deals SET compared = $2, difference = $3, \
         deleted_at = CASE WHEN reports > $2 THEN deleted_at END, \
         dismissed = CASE WHEN $3 IS NULL THEN NULL ELSE dismissed END, \
         due_at = CASE WHEN reports > $2 THEN due_at END, payload = CASE WHEN reports > $2 THEN payload END, \
         event_id = CASE WHEN reports > $2 THEN event_id END, failure = NULL, waits_for = NULL, updated_at = $4, \
         story = {} WHERE deal_key = $1 AND state = 'done' AND compared <= $2",
        and("$5")
    );
    let compared = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(key)
        .bind(i64::try_from(reports)?)
        .bind(difference.map(serde_json::to_string).transpose()?)
        .bind(now)
        .bind(what.line(now, &[run_id]));
    db.commit(compared).await.map(drop)
}

/// The record lacks what amoCRM has, and is going to be given it: until that is done the deal is looked at again and again.
pub(in crate::deals) async fn update_wanted(
    db: &Db,
    key: &str,
    reports: u64,
    resend_after: Duration,
    run_id: &str,
) -> anyhow::Result<()> {
    let now = db.time();
    let sql = format!(
        "UPDATE deals SET compared = $2, difference = NULL, deleted_at = NULL, event_name = 'amocrm/webhook', \
         sends = CASE WHEN payload IS NULL THEN -1 ELSE sends END, \
         due_at = CASE WHEN payload IS NULL THEN $4 ELSE due_at END, \
         payload = COALESCE(payload, '{{\"leadId\":' || lead_id || ',\"action\":\"update\"}}'), updated_at = $3, story = {} \
         WHERE deal_key = $1 AND state = 'done' AND compared <= $2",
        and("$5")
    );
    let wanted = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(key)
        .bind(i64::try_from(reports)?)
        .bind(now.as_millisecond())
        .bind((now + resend_after).as_millisecond())
        .bind(What::Differs.line(now.as_millisecond(), &[run_id]));
    db.commit(wanted).await.map(drop)
}

/// amoCRM shows the lead no more: a deal that has its record is listed, one that has none ends. Nothing changes where the lead
/// was reported since `reports` were known, nor where it is not known whether there is a record.
pub(in crate::deals) async fn gone(
    db: &Db,
    key: &str,
    reports: u64,
    deleted: bool,
) -> anyhow::Result<Gone> {
    let (now, reports) = (db.now(), i64::try_from(reports)?);
    let difference = if deleted { Difference::Deleted } else { Difference::NotShown };
    let line = if deleted { What::Deleted } else { What::NotShown }.line(now, &[]);
    let mut transaction = db.begin().await?;
    let sql = format!(
        "UPDATE deals SET compared = $2, difference = CASE WHEN merged_into IS NULL THEN $3 ELSE difference END, \
         due_at = NULL, payload = NULL, event_id = NULL, failure = NULL, waits_for = NULL, updated_at = $4, \
         story = {} WHERE deal_key = $1 AND state = 'done' AND reports = $2 RETURNING COALESCE(erp_id, '')",
        and("$5")
    );
    let listed = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(key)
        .bind(reports)
        .bind(serde_json::to_string(&difference)?)
        .bind(now)
        .bind(line.as_str());
    let listed: Vec<(String,)> = transaction.fetch(listed).await?;
    if let Some((erp_id,)) = listed.into_iter().next() {
        transaction.commit().await?;
        return Ok(Gone::HasRecord(erp_id));
    }
    let sql = format!(
        "UPDATE deals SET ended = CASE WHEN ended = 'merged' THEN ended ELSE 'deleted' END, failure = NULL, due_at = NULL, \
         waits_for = NULL, updated_at = $3, story = {} \
         WHERE deal_key = $1 AND state = 'open' AND reports = $2 AND (claimed_until IS NULL OR claimed_until <= $3)",
        and("$4")
    );
    let end = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(key).bind(reports).bind(now).bind(line);
    let ended = transaction.execute(end).await?;
    let query = sqlx::query_as("SELECT COUNT(*) FROM deals WHERE deal_key = $1");
    let (deals,): (i64,) = only(transaction.fetch(query.bind(key)).await?)?;
    transaction.commit().await?;
    // A deal that the ledger has never seen has nothing to end.
    Ok(if ended > 0 || deals == 0 { Gone::Ended } else { Gone::Undecided })
}

/// What came of asking for the record of a deal, to write into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::deals) enum UpdateClaimed {
    /// It is ours for the time of the lease.
    Granted {
        /// Grows with each claim.
        fence: i64,
        /// What an earlier update was to write, where its outcome is not known.
        updating: Option<String>,
    },
    /// A newer comparison was noted: what this one would write is old.
    Outdated,
    /// Another update is under way, or may still arrive, until then.
    Held(Timestamp),
}

/// Claims the record of a deal, and commits what is about to be written into it. Two updates of one record are never under
/// way at once: the ERP might take them in either order.
pub(in crate::deals) async fn claim_update(
    db: &Db,
    key: &str,
    reports: u64,
    values: &Values,
    lease: Lease,
    run_id: &str,
) -> anyhow::Result<UpdateClaimed> {
    let (now, reports) = (db.time(), i64::try_from(reports)?);
    let mut transaction = db.begin().await?;
    let query = "SELECT compared, COALESCE(claimed_until, 0), COALESCE(look_after, 0), updating FROM deals \
                 WHERE deal_key = $1 AND state = 'done'";
    let rows = transaction.fetch(sqlx::query_as(query).bind(key)).await?;
    let (compared, claimed_until, look_after, updating): (i64, i64, i64, Option<String>) =
        only(rows)?;
    let sql = format!(
        "UPDATE deals SET fence = fence + 1, claimed_until = $3, look_after = $4, updating = $5, compared = $2, \
         updated_at = $6, story = {} WHERE deal_key = $1 AND state = 'done' AND compared <= $2 \
         AND (claimed_until IS NULL OR claimed_until <= $6) AND (look_after IS NULL OR look_after <= $6) \
         RETURNING fence",
        and("$7")
    );
    let claim = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(key)
        .bind(reports)
        .bind((now + lease.holds).as_millisecond())
        .bind((now + lease.look_after).as_millisecond())
        .bind(serde_json::to_string(values)?)
        .bind(now.as_millisecond())
        .bind(What::Updating.line(now.as_millisecond(), &[run_id]));
    let granted: Vec<(i64,)> = transaction.fetch(claim).await?;
    transaction.commit().await?;
    Ok(match granted.first() {
        Some((fence,)) => UpdateClaimed::Granted { fence: *fence, updating },
        None if compared > reports => UpdateClaimed::Outdated,
        None => {
            let until = claimed_until.max(look_after).max(now.as_millisecond());
            UpdateClaimed::Held(crate::db::timestamp(until)?)
        }
    })
}

/// How an update has ended.
#[derive(Debug)]
pub(in crate::deals) enum UpdateEnd<'a> {
    /// The record holds this.
    Written(&'a Values),
    /// There is no such record any more.
    NothingMatched,
    /// Nothing was written; what earlier ones were to write is as unknown as it was.
    NotWritten(Option<&'a str>),
    /// It may be written until then.
    Unknown(Timestamp),
}

/// Notes how an update has ended. Where another claim was granted since, nothing changes: what the record holds is for that
/// one to find out.
pub(in crate::deals) async fn end_update(
    db: &Db,
    key: &str,
    fence: i64,
    reports: u64,
    end: UpdateEnd<'_>,
) -> anyhow::Result<()> {
    let looked = "due_at = CASE WHEN reports > $3 THEN due_at END, payload = CASE WHEN reports > $3 THEN payload END, \
                  event_id = CASE WHEN reports > $3 THEN event_id END, failure = NULL, waits_for = NULL";
    let (change, value, after, what) = match end {
        UpdateEnd::Written(values) => {
            let values = serde_json::to_string(values)?;
            let change = format!(
                "recorded = $4, updating = NULL, difference = NULL, dismissed = NULL, look_after = $5, {looked}"
            );
            (change, Some(values), None, What::Updated)
        }
        UpdateEnd::NothingMatched => {
            let gone = serde_json::to_string(&Difference::RecordGone)?;
            let change = format!("difference = $4, updating = NULL, look_after = $5, {looked}");
            (change, Some(gone), None, What::RecordGone)
        }
        UpdateEnd::NotWritten(updating) => {
            let change = "updating = $4, look_after = $5".to_owned();
            (change, updating.map(str::to_owned), None, What::NotUpdated)
        }
        UpdateEnd::Unknown(until) => {
            let change = "updating = COALESCE($4, updating), look_after = $5".to_owned();
            (change, None, Some(until.as_millisecond()), What::UpdateInDoubt)
        }
    };
    let now = db.now();
    let sql = format!(
        "UPDATE deals SET {change}, claimed_until = NULL, updated_at = $6, story = {} \
         WHERE deal_key = $1 AND fence = $2 AND state = 'done' AND compared >= $3",
        and("$7")
    );
    let ended = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(key)
        .bind(fence)
        .bind(i64::try_from(reports)?)
        .bind(value)
        .bind(after)
        .bind(now)
        .bind(what.line(now, &[]));
    db.commit(ended).await.map(drop)
}
