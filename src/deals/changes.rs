//! What happens to a lead after its record was made.
//!
//! The ledger keeps what a record was given. When its lead is read again, that is compared with it, as it would be sent: not
//! with what the ERP holds, which people may have changed there. What is found is for a person (`report`), or is written into
//! the record (`update`), by its id and nothing else.
//!
//! Writing twice is harmless, and writing in the wrong order is not: what is old must not come after what is new.
//! 1. A comparison names the reports of its lead that were known before the lead was read. One that knew fewer than the
//!    newest noted changes nothing.
//! 2. One update of a record is under way at a time, over all replicas: a lease, as for inserts. One of unknown outcome may
//!    still arrive, so the next one waits a minute after it.
//! 3. What an update was to write is on the disk before it is sent. Until its outcome is known nothing is said of what the
//!    record holds.

use std::sync::Arc;

use functions::ports::{self, Compared, Deal, DealKey, Gone, Reading};

use super::difference::{Difference, Record};
use super::error::LedgerError;
use super::key::{self, Entry};
use super::ledger::{FRESH, LEASE_MARGIN, Ledger, RECORD_MAY_APPEAR};
use super::report::OnChange;
use super::table::{self, Lease, UpdateClaimed, UpdateEnd};
use crate::erp::{ErpClient, SendBy, Update, Values};

impl Ledger {
    pub(super) async fn reading_of(&self, deal: &DealKey) -> ports::Result<Reading> {
        let (key, _) = key::identity(deal, self.rules.dedupe);
        table::reading(&self.db, &key).await.map_err(ports::Error::again)
    }

    /// Compares the record of `deal` with it, and notes what differs.
    pub(super) async fn compare_record(&self, deal: &Deal) -> ports::Result<Option<Compared>> {
        let (key, _) = key::identity(&deal.key, self.rules.dedupe);
        let record = table::record(&self.db, &key).await.map_err(ports::Error::again)?;
        let (Some(record), Some(erp)) = (record, &self.erp) else { return Ok(None) };
        let wanted = erp.values(deal);
        let compared = compare(&record, &wanted, self.rules.on_change);
        let noted = if compared.update {
            let resend_after = self.rules.schedule.resend_after;
            table::update_wanted(&self.db, &key, deal.reports, resend_after, &deal.run_id).await
        } else {
            let difference = difference(&record, &compared, wanted, self.rules.on_change);
            if difference.is_some() {
                tracing::warn!(deal = key, differs = ?compared.differs, "a record differs from its lead");
            }
            table::compared(&self.db, &key, deal.reports, difference.as_ref(), &deal.run_id).await
        };
        noted.map_err(ports::Error::again)?;
        Ok(Some(compared))
    }

    /// Writes `deal` into its record, unless something newer was compared with it.
    pub(super) async fn update_record(&self, deal: &Deal) -> Result<Option<Compared>, LedgerError> {
        let entry = Entry::of(deal, self.rules.dedupe);
        let Some(erp) = &self.erp else {
            return Err(LedgerError::NoErp { deal: entry.name, options: entry.options });
        };
        let _lock = self.locks.lock(&entry.key).await;
        let failed = |source| LedgerError::db(&entry, source);
        let record = table::record(&self.db, &entry.key).await.map_err(failed)?;
        let Some(record) = record else { return Ok(None) };
        let wanted = erp.values(deal);
        let compared = compare(&record, &wanted, self.rules.on_change);
        if !compared.update {
            // Written by an earlier attempt, or the record is gone.
            let difference = difference(&record, &compared, wanted, self.rules.on_change);
            let (reports, difference) = (deal.reports, difference.as_ref());
            let noted = table::compared(&self.db, &entry.key, reports, difference, &deal.run_id);
            noted.await.map_err(failed)?;
            return Ok(Some(compared));
        }
        let unchanged = |error| LedgerError::not_updated(&entry, &record.erp_id, error);
        erp.has_fields_of(&entry.deal).await.map_err(unchanged)?;
        let call = erp.settings().timeout;
        let look_after = FRESH + call + RECORD_MAY_APPEAR;
        let resend_after = self.rules.schedule.resend_after;
        let lease = Lease { holds: call + LEASE_MARGIN, look_after, resend_after };
        let asked = self.clock.uptime();
        let (key, reports) = (entry.key.as_str(), deal.reports);
        let claimed =
            table::claim_update(&self.db, key, reports, &wanted, lease, &deal.run_id).await;
        match claimed.map_err(failed)? {
            UpdateClaimed::Granted { fence, updating } => {
                let begin = SendBy::new(Arc::clone(&self.clock), asked + FRESH);
                let claim = UpdateClaim { entry: &entry, fence, updating };
                self.send_update(erp, claim, compared, wanted, begin).await.map(Some)
            }
            // The newer one writes what it has read.
            UpdateClaimed::Outdated => Ok(Some(Compared { update: false, ..compared })),
            UpdateClaimed::Held(until) => Err(LedgerError::busy(&entry, until, self.clock.now())),
        }
    }

    async fn send_update(
        &self,
        erp: &ErpClient,
        claim: UpdateClaim<'_>,
        compared: Compared,
        wanted: Values,
        begin: SendBy,
    ) -> Result<Compared, LedgerError> {
        let UpdateClaim { entry, fence, updating } = claim;
        let record = compared.record.as_str();
        let sent = erp.update(wanted.entity, record, &entry.deal, begin).await;
        let now = self.clock.now();
        let (end, ended) = match sent {
            Ok(Update::Written) => {
                let (recorded, differs) = (Some(wanted.shown()), Vec::new());
                let after = Compared { recorded, differs, update: false, ..compared.clone() };
                (UpdateEnd::Written(&wanted), Ok(after))
            }
            Ok(Update::NothingMatched) => {
                let gone = Compared { update: false, is_gone: true, ..compared.clone() };
                (UpdateEnd::NothingMatched, Ok(gone))
            }
            Ok(Update::Unknown { reason }) => {
                let after = now + RECORD_MAY_APPEAR;
                let error = LedgerError::update_unclear(entry, record, reason, after, now);
                (UpdateEnd::Unknown(after), Err(error))
            }
            Err(error) => {
                let error = LedgerError::not_updated(entry, record, error);
                (UpdateEnd::NotWritten(updating.as_deref()), Err(error))
            }
        };
        let (key, reports) = (&entry.key, entry.deal.reports);
        if let Err(problem) = table::end_update(&self.db, key, fence, reports, end).await {
            // What was to be written is noted, and the deal is due: it is written again.
            tracing::error!(deal = key, "the end of an update could not be noted: {problem:#}");
        }
        ended
    }

    /// Notes that amoCRM shows the lead no more.
    pub(super) async fn note_gone(
        &self,
        deal: &DealKey,
        reading: Reading,
        deleted: bool,
    ) -> ports::Result<Gone> {
        let (key, _) = key::identity(deal, self.rules.dedupe);
        let gone = table::gone(&self.db, &key, reading.reports, deleted).await;
        let gone = gone.map_err(ports::Error::again)?;
        tracing::info!(deal = key, deleted, outcome = ?gone, "amoCRM shows its lead no more");
        Ok(gone)
    }
}

/// A record that is ours to write into.
struct UpdateClaim<'a> {
    entry: &'a Entry,
    fence: i64,
    updating: Option<String>,
}

fn compare(record: &Record, wanted: &Values, on_change: OnChange) -> Compared {
    let is_gone = record.difference == Some(Difference::RecordGone);
    // Until the outcome of an update is known, nothing is known of what the record holds.
    let recorded = record.recorded.as_ref().filter(|_| !record.is_updating);
    let differs = recorded.map(|recorded| recorded.differs_from(wanted)).unwrap_or_default();
    let holds = recorded.is_some() && differs.is_empty();
    // By its number alone a record of another entity would be written.
    let is_ours = record.recorded.as_ref().is_none_or(|recorded| recorded.entity == wanted.entity);
    Compared {
        record: record.erp_id.clone(),
        reply: record.reply.clone(),
        recorded: recorded.map(Values::shown),
        differs,
        update: on_change == OnChange::Update && !holds && !is_gone && is_ours,
        is_gone,
    }
}

/// What is listed of a comparison after which nothing is written. What a record was given that is not known differs from
/// nothing.
fn difference(
    record: &Record,
    compared: &Compared,
    wanted: Values,
    on_change: OnChange,
) -> Option<Difference> {
    if compared.is_gone {
        return record.difference.clone();
    }
    let differs = !compared.differs.is_empty() && on_change != OnChange::Ignore;
    differs.then_some(Difference::Values { amocrm: wanted })
}
