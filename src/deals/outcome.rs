//! What an answer of the ERP means for the deal's row and for its run.

use functions::ports::{Created, DealKey};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::error::LedgerError;
use super::key::Entry;
use super::ledger::{Ledger, SETTLING};
use crate::deals::{DealRef, Unsent};
use crate::erp::{ErpError, Failure, label};

impl Ledger {
    /// After an insert that brought no record.
    pub(super) fn after_insert(&self, entry: &Entry, error: ErpError) -> (Unsent, LedgerError) {
        let now = self.0.clock.now();
        match &error.failure {
            Failure::Refused { .. } => (Unsent::Refused, LedgerError::Erp(error)),
            Failure::Credentials { .. } | Failure::Unavailable { .. } => {
                (Unsent::NotSent, LedgerError::Erp(error))
            }
            Failure::Unknown { reason } => {
                self.0.breaker.unclear();
                let look_after = now + SETTLING;
                let error = match self.0.erp.marked_lead(&entry.deal) {
                    Some(_) => entry.in_doubt(reason, look_after, now),
                    None => self.unresolved(entry, reason.clone()),
                };
                (Unsent::InDoubt(look_after), error)
            }
        }
    }

    /// Only a person can find out.
    pub(super) fn unresolved(&self, entry: &Entry, reason: String) -> LedgerError {
        let settings = self.0.erp.settings();
        let advice = match (entry.lead_id, &entry.deal.key) {
            (Some(lead), DealKey::Lead { .. }) => format!(
                "if it is there, run `prometei-flow deals resolve --lead {lead} --erp-id <its id>`; if not, run \
                 `prometei-flow deals resolve --lead {lead} --absent` and replay this run"
            ),
            // A replay is another deal.
            _ => "if it is absent, replay this run".to_owned(),
        };
        LedgerError::Unresolved {
            deal: label(&entry.deal),
            reason,
            entity_id: entry.deal.entity_id.unwrap_or(settings.entity_id),
            advice,
        }
    }
}

impl Entry {
    /// As the store wants it.
    pub(super) fn row(&self) -> DealRef<'_> {
        DealRef {
            key: &self.key,
            account_id: self.account_id,
            lead_id: self.lead_id,
            run_id: &self.deal.run_id,
            payload_hash: &self.payload_hash,
        }
    }

    /// The record exists, with this reply.
    pub(super) fn duplicate(&self, reply: &str) -> Result<Created, LedgerError> {
        let reply = serde_json::from_str(reply)
            .map_err(|error| self.store_failed(anyhow::anyhow!("a stored reply: {error}")))?;
        Ok(Created { reply, duplicate: true })
    }

    pub(super) fn in_doubt(&self, reason: &str, until: Timestamp, now: Timestamp) -> LedgerError {
        let wait = remaining(until, now);
        let (deal, reason) = (label(&self.deal), reason.to_owned());
        LedgerError::InDoubt { deal, reason, after: until, wait }
    }

    pub(super) fn busy(&self, until: Timestamp, now: Timestamp) -> LedgerError {
        LedgerError::Busy { deal: label(&self.deal), until, wait: remaining(until, now) }
    }

    pub(super) fn store_failed(&self, source: anyhow::Error) -> LedgerError {
        LedgerError::Db { deal: label(&self.deal), source }
    }
}

fn remaining(until: Timestamp, now: Timestamp) -> std::time::Duration {
    std::time::Duration::try_from(until.duration_since(now)).unwrap_or_default()
}

/// A record that was not created by this call.
pub(super) fn existing(id: &str) -> Created {
    Created { reply: json!({"status": "success", "data": {"id": id}}), duplicate: true }
}

/// The id in a reply of the ERP.
pub(super) fn erp_id(reply: &Value) -> String {
    match &reply["data"]["id"] {
        Value::String(id) => id.clone(),
        other => other.to_string(),
    }
}
