//! What the functions need from outside. The service implements these; tests use fakes.
//!
//! An implementation decides in its [`Error`] whether to ask it again: yes, not before some time, or never.

mod error;
mod reconcile;

use std::future::Future;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

pub use error::{Error, Result, Retry};
pub use reconcile::{FeedPage, FeedWindow, LeadEvent, LeadFeed, ReconcileLog, Sight};

/// The ERP, as far as deals are concerned.
pub trait Erp: Send + Sync + 'static {
    /// Creates one record for `deal`, at most once per [`DealKey`].
    fn create(&self, deal: &Deal) -> impl Future<Output = Result<Created>> + Send;

    /// Notes, where people look for it, that the run `run_id` ended without a record for `key`, and why. A deal that
    /// has its record is left alone. Does nothing by default.
    fn note_failure(
        &self,
        key: &DealKey,
        run_id: &str,
        reason: &str,
    ) -> impl Future<Output = Result<()>> + Send {
        let _ = (key, run_id, reason);
        std::future::ready(Ok(()))
    }
}

/// The sales CRM.
pub trait AmoCrm: Send + Sync + 'static {
    /// Makes sure that a valid access token is at hand, refreshing it where necessary.
    fn authorize(&self) -> impl Future<Output = Result<Authorization>> + Send;

    /// Reads one lead. `None` when amoCRM knows no such lead, deleted it, or does not show it to us.
    fn lead(&self, lead_id: u64) -> impl Future<Output = Result<Option<Lead>>> + Send;
}

/// A deal on its way into the ERP.
#[derive(Debug, Clone, PartialEq)]
pub struct Deal {
    /// What makes two creations the same one.
    pub key: DealKey,
    /// The run that wants it: a retry of a run is the same attempt, a replay is another one.
    pub run_id: String,
    /// The record's name.
    pub name: String,
    /// The record's amount; left out of the record when absent or zero.
    pub amount: Option<Number>,
    /// The ERP entity; the configured one when absent.
    pub entity_id: Option<u64>,
}

/// Two creations with the same key are the same deal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DealKey {
    /// An amoCRM lead.
    Lead {
        /// The account, where the webhook named it.
        account_id: Option<u64>,
        /// The lead.
        lead_id: u64,
    },
    /// A `crm/create-deal` run: a retry is the same deal, a deliberate replay is a new one.
    Run(String),
}

/// The ERP has the record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Created {
    /// The ERP's reply, verbatim.
    pub reply: Value,
    /// The record existed already: nothing was created by this call.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub duplicate: bool,
}

/// What may be shown of an access token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Authorization {
    /// When the token expires. Absent when the token does not say.
    pub expires_at: Option<Timestamp>,
}

/// A lead as amoCRM holds it now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Lead {
    /// Its id.
    pub id: u64,
    /// Its name; amoCRM allows an empty one.
    pub name: Option<String>,
    /// Its price in whole units of the account's currency; may be absent or zero.
    pub price: Option<Number>,
}
