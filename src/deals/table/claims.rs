//! Who may send a deal to the ERP now, and what came of it.
//!
//! Every change names the fence of its claim, except the one that notes a record: that it exists is true, whichever
//! claim says so.

use anyhow::Context as _;
use functions::ports::WaitsFor;
use jiff::Timestamp;
use serde_json::Value;

use super::changes::{look_at, look_due};
use super::lease::Lease;
use super::merges::{take_over, take_over_claimed, two_records};
use super::story::and;
use super::{signed, stored};
use crate::db::{Db, only, timestamp};
use crate::deals::key::Entry;
use crate::deals::story::What;

/// What came of asking for a deal.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::deals) enum Claimed {
    /// The deal is ours for the time of the lease.
    Granted(Claim),
    /// It has its record: the ERP's reply.
    Done(Value),
    /// Another run holds it, until then at the latest.
    Held(Timestamp),
}

/// A deal that is ours for the time of the lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::deals) struct Claim {
    /// The row.
    pub(in crate::deals) key: String,
    /// The amoCRM lead, if it comes from one.
    pub(in crate::deals) lead_id: Option<u64>,
    /// Grows with each claim: who names an older one changes nothing.
    pub(in crate::deals) fence: i64,
    /// What earlier claims have left behind.
    pub(in crate::deals) past: Past,
    /// What was sent last, by this claim or by an earlier one: what a record holds that is found. `None`: not known.
    pub(in crate::deals) sent: Option<String>,
    /// What this claim is going to send.
    pub(in crate::deals) values: Option<String>,
}

impl Claim {
    /// How it is given back when no insert was tried.
    pub(in crate::deals) fn unsent(&self) -> Release {
        // The first claim says `sending` before anything is sent.
        if self.past == Past::FirstClaim { Release::NotSent } else { Release::Unchanged }
    }
}

/// What is known of the inserts of earlier claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::deals) enum Past {
    /// This is the first claim ever: `sending` was committed with it.
    FirstClaim,
    /// There was none, the ERP acted on none of them, or a person has found no record.
    NotSent,
    /// The ERP refused the last one that it acted on.
    Refused,
    /// The ERP may have acted on the last one. A look-up before this time proves nothing.
    InDoubt(Timestamp),
}

/// How a claim is given back without a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::deals) enum Release {
    /// The ERP never acted on the insert.
    NotSent,
    /// The ERP refused the insert.
    Refused,
    /// The ERP may have acted on it; a look-up after this time proves it.
    InDoubt(Timestamp),
    /// No insert was tried: the row says what it said before.
    Unchanged,
}

/// A deal as its claim leaves it: the fence, the state, the inserts, when a look-up proves something, what was sent last.
type Granted = (i64, String, i64, Option<i64>, Option<String>);

/// Claims a deal. The first claim ever commits at once that it is being sent, if it `sends` without more ado; a later one
/// returns what is known of the earlier ones.
pub(in crate::deals) async fn claim(
    db: &Db,
    entry: &Entry,
    lease: Lease,
    sends: bool,
) -> anyhow::Result<Claimed> {
    let now = db.time();
    let look_after = sends.then(|| (now + lease.look_after).as_millisecond());
    let run = What::Run.line(now.as_millisecond(), &[&entry.deal.run_id]);
    let sending = if sends { What::Sending.line(now.as_millisecond(), &[]) } else { String::new() };
    let sql = format!(
        "INSERT INTO deals (deal_key, lead_id, run_id, state, attempt, fence, claimed_until, look_after, \
                            created_at, updated_at, event_name, payload, due_at, recorded, story) \
         VALUES ($1, $2, $3, CASE $11 WHEN 1 THEN 'sending' ELSE 'open' END, $11, 1, $4, $5, $6, $6, $7, $8, $9, $10, \
             $12 || $13 || $14) \
         ON CONFLICT (deal_key) DO UPDATE SET fence = deals.fence + 1, run_id = excluded.run_id, \
             state = CASE deals.fence WHEN 0 THEN excluded.state ELSE deals.state END, \
             attempt = CASE deals.fence WHEN 0 THEN excluded.attempt ELSE deals.attempt END, \
             look_after = CASE deals.fence WHEN 0 THEN excluded.look_after ELSE deals.look_after END, \
             recorded = CASE deals.fence WHEN 0 THEN excluded.recorded ELSE deals.recorded END, \
             claimed_until = excluded.claimed_until, updated_at = excluded.updated_at, story = {} \
         WHERE deals.state <> 'done' \
             AND (deals.claimed_until IS NULL OR deals.claimed_until <= excluded.updated_at) \
         RETURNING fence, state, attempt, look_after, recorded",
        and("$13 || CASE deals.fence WHEN 0 THEN $14 ELSE '' END")
    );
    let claim = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(entry.key.as_str())
        .bind(signed(entry.lead_id)?)
        .bind(entry.deal.run_id.as_str())
        .bind((now + lease.holds).as_millisecond())
        .bind(look_after)
        .bind(now.as_millisecond())
        .bind(entry.event.name)
        .bind(entry.event.data.to_string())
        .bind((now + lease.resend_after).as_millisecond())
        .bind(entry.values.as_deref())
        .bind(i64::from(sends))
        .bind(What::Asked.line(now.as_millisecond(), &[]))
        .bind(run)
        .bind(sending);
    let mut transaction = db.begin().await?;
    if let Some(lead) = entry.lead_id {
        take_over(&mut transaction, &entry.key, lead, now).await?;
    }
    let granted: Vec<Granted> = transaction.fetch(claim).await?;
    if let Some((fence, state, attempt, look_after, sent)) = granted.into_iter().next() {
        // The ERP is called on the strength of this row: not before it is certain to survive a crash.
        transaction.commit().await?;
        let past = match (state.as_str(), fence, attempt) {
            // Only the first claim makes the first fence.
            ("sending", 1, _) => Past::FirstClaim,
            ("sending", ..) => Past::InDoubt(look_after.map_or(Ok(now), timestamp)?),
            (_, _, 0) => Past::NotSent,
            _ => Past::Refused,
        };
        let (key, values) = (entry.key.clone(), entry.values.clone());
        let lead_id = entry.lead_id;
        return Ok(Claimed::Granted(Claim { key, lead_id, fence, past, sent, values }));
    }
    let query = sqlx::query_as("SELECT reply, claimed_until FROM deals WHERE deal_key = $1");
    let rows = transaction.fetch(query.bind(entry.key.as_str())).await?;
    transaction.commit().await?;
    let (reply, until): (Option<String>, Option<i64>) = only(rows)?;
    Ok(match reply {
        Some(reply) => Claimed::Done(serde_json::from_str(&reply).context("a stored reply")?),
        None => Claimed::Held(until.map_or(Ok(now), timestamp)?),
    })
}

/// Commits that another insert is about to be sent. `false`: the claim is no longer the newest, or the deal has taken over
/// the record of another lead: send nothing.
pub(in crate::deals) async fn mark_sending(
    db: &Db,
    claim: &Claim,
    lease: Lease,
) -> anyhow::Result<bool> {
    let now = db.time();
    let sql = format!(
        "UPDATE deals SET state = 'sending', attempt = attempt + $6, claimed_until = $3, look_after = $4, recorded = $7, \
         updated_at = $5, story = {} WHERE deal_key = $1 AND fence = $2 AND state <> 'done'",
        and("$8")
    );
    let sending = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(claim.key.as_str())
        .bind(claim.fence)
        .bind((now + lease.holds).as_millisecond())
        .bind((now + lease.look_after).as_millisecond())
        .bind(now.as_millisecond())
        // The first claim has counted its insert already.
        .bind(i64::from(claim.past != Past::FirstClaim))
        .bind(claim.values.as_deref())
        .bind(What::Sending.line(now.as_millisecond(), &[]));
    let mut transaction = db.begin().await?;
    if let Some(lead) = claim.lead_id {
        take_over_claimed(&mut transaction, &claim.key, lead, claim.fence, now).await?;
    }
    let marked = transaction.execute(sending).await?;
    transaction.commit().await?;
    Ok(marked == 1)
}

/// A record that the ERP has.
pub(in crate::deals) struct Made<'a> {
    pub(in crate::deals) erp_id: &'a str,
    pub(in crate::deals) reply: &'a Value,
    /// What it was given. `None`: that is not known.
    pub(in crate::deals) recorded: Option<&'a str>,
}

/// A record that was noted.
pub(in crate::deals) struct Noted {
    /// When the deal was reported last.
    pub(in crate::deals) reported_at: Timestamp,
    /// How often it was sent to the ERP.
    pub(in crate::deals) attempts: i64,
}

/// The ERP has the record of the deal. What was reported of its lead since that was read, is looked at. `None`: that there is a
/// record was known before.
pub(in crate::deals) async fn mark_done(
    db: &Db,
    deal: &Entry,
    record: Made<'_>,
) -> anyhow::Result<Option<Noted>> {
    let now = db.time();
    let look = deal.lead_id.map(look_at);
    let sql = format!(
        "UPDATE deals SET state = 'done', erp_id = $2, reply = $3, recorded = $5, claimed_until = NULL, look_after = NULL, \
         failure = NULL, waits_for = NULL, ended = NULL, event_id = NULL, forwarded_at = NULL, sends = -1, \
         compared = $6, payload = CASE WHEN reports > $6 THEN $7 END, due_at = CASE WHEN reports > $6 THEN $8 END, \
         recorded_at = $4, updated_at = $4, story = {} WHERE deal_key = $1 AND state <> 'done' \
         RETURNING COALESCE(reported_at, created_at), attempt",
        and("$9")
    );
    let done = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(deal.key.as_str())
        .bind(record.erp_id)
        .bind(record.reply.to_string())
        .bind(now.as_millisecond())
        .bind(record.recorded)
        .bind(i64::try_from(deal.deal.reports)?)
        .bind(look)
        .bind(look_due(now))
        .bind(What::Recorded.line(now.as_millisecond(), &[record.erp_id]));
    let mut transaction = db.begin().await?;
    let noted: Vec<(i64, i64)> = transaction.fetch(done).await?;
    if let Some(lead) = signed(deal.lead_id)? {
        two_records(&mut transaction, lead).await?;
    }
    transaction.commit().await?;
    let noted = noted.into_iter().next();
    noted
        .map(|(reported, attempts)| Ok(Noted { reported_at: timestamp(reported)?, attempts }))
        .transpose()
}

/// Gives a claim back. `failure` says for a person why there is no record, `waits_for` what has to change first.
pub(in crate::deals) async fn release(
    db: &Db,
    claim: &Claim,
    how: Release,
    failure: &str,
    waits_for: Option<WaitsFor>,
) -> anyhow::Result<()> {
    let (state, uncounted, look_after) = match (how, claim.past) {
        (Release::NotSent, _) => (Some("open"), 1, None),
        (Release::Refused, _) => (Some("open"), 0, None),
        (Release::InDoubt(until), _) => (Some("sending"), 0, Some(until)),
        (Release::Unchanged, Past::InDoubt(until)) => (None, 0, Some(until)),
        (Release::Unchanged, _) => (None, 0, None),
    };
    let what = match how {
        Release::NotSent => What::NotTaken,
        Release::Refused => What::Refused,
        Release::InDoubt(_) => What::InDoubt,
        Release::Unchanged => What::NotSent,
    };
    let (now, waits_for) = (db.now(), waits_for.map(stored));
    let sql = format!(
        "UPDATE deals SET state = COALESCE($3, state), attempt = attempt - $4, look_after = $5, failure = $6, \
         waits_for = $7, claimed_until = NULL, updated_at = $8, story = {} \
         WHERE deal_key = $1 AND fence = $2 AND state <> 'done'",
        and("$9")
    );
    let released = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(claim.key.as_str())
        .bind(claim.fence)
        .bind(state)
        .bind(i64::from(uncounted))
        .bind(look_after.map(Timestamp::as_millisecond))
        .bind(failure)
        .bind(waits_for)
        .bind(now)
        .bind(what.line(now, &[waits_for.unwrap_or_default()]));
    db.commit(released).await?;
    Ok(())
}

/// Ends every lease. What is `sending` stays in doubt.
pub(in crate::deals) async fn forget_claims(db: &Db) -> anyhow::Result<()> {
    let query = "UPDATE deals SET claimed_until = NULL WHERE claimed_until IS NOT NULL";
    db.commit(sqlx::query(query)).await?;
    Ok(())
}
