//! What the functions need from outside. The service implements these; tests use fakes.
//!
//! An implementation decides in its [`Error`] whether to ask it again: yes, not before some time, or never.

mod error;
mod reconcile;
mod record;

use std::collections::BTreeMap;
use std::future::Future;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

pub use error::{Error, Result, Retry, WaitsFor};
pub use reconcile::{FeedPage, FeedWindow, LeadEvent, LeadFeed, Merge, ReconcileLog, Sight};
pub use record::{Compared, Gone, Reading, Recorded};

/// The ERP, as far as deals are concerned.
pub trait Erp: Send + Sync + 'static {
    /// Creates one record for `deal`, at most once per [`DealKey`].
    fn create(&self, deal: &Deal) -> impl Future<Output = Result<Created>> + Send;

    /// Notes that a run ended without a record for its deal, so that people see it and it is sent again. A deal that has
    /// its record is left alone.
    fn note_failure(&self, failure: &FailedDeal) -> impl Future<Output = Result<()>> + Send;

    /// Notes that the deal needs no record, and why: it is not sent again until it is reported anew. A deal that has
    /// its record is left alone.
    fn not_needed(&self, key: &DealKey, reason: &str) -> impl Future<Output = Result<()>> + Send;

    /// What is known of a deal whose lead is about to be read.
    fn reading(&self, key: &DealKey) -> impl Future<Output = Result<Reading>> + Send;

    /// Compares the record of `deal` with it, and notes what differs. `None`: there is no record.
    fn compare(&self, deal: &Deal) -> impl Future<Output = Result<Option<Compared>>> + Send;

    /// Writes `deal` into its record, unless something newer was compared with it. Safe to repeat.
    fn update(&self, deal: &Deal) -> impl Future<Output = Result<Option<Compared>>> + Send;

    /// Notes that amoCRM shows the lead no more; `deleted`: because it was deleted. Nothing changes where the lead was
    /// reported since `reading`.
    fn gone(
        &self,
        key: &DealKey,
        reading: Reading,
        deleted: bool,
    ) -> impl Future<Output = Result<Gone>> + Send;
}

/// The sales CRM.
pub trait AmoCrm: Send + Sync + 'static {
    /// Makes sure that a valid access token is at hand, refreshing it where necessary.
    fn authorize(&self) -> impl Future<Output = Result<Authorization>> + Send;

    /// Reads one lead. `None` when amoCRM knows no such lead, deleted it, or does not show it to us.
    fn lead(&self, lead_id: u64) -> impl Future<Output = Result<Option<Lead>>> + Send;

    /// Whether a lead that [`lead`](Self::lead) does not show was deleted, as far as amoCRM says so.
    fn is_deleted(&self, lead_id: u64) -> impl Future<Output = Result<bool>> + Send;

    /// Reads what the record shall hold of the contact and the company of a lead, by the ERP's field. What is not there is
    /// left out.
    fn related(
        &self,
        related: Related,
    ) -> impl Future<Output = Result<BTreeMap<String, String>>> + Send;
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
    /// What else the record holds, besides name and amount: the text by the ERP's name of the field, `field_1060`.
    pub fields: BTreeMap<String, String>,
    /// How often its lead had been reported when all this was read: [`Reading::reports`].
    pub reports: u64,
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
        /// What reported it: the id of the event, and of an event that is sent again that of the first one.
        delivery_id: String,
    },
    /// The first run of a `crm/create-deal` event: a retry is the same deal, and so is an event that was sent again after
    /// a failure. A replay by a person is a new one.
    Run(String),
}

/// A deal whose run has ended without a record.
#[derive(Debug, Clone, PartialEq)]
pub struct FailedDeal {
    /// The deal.
    pub key: DealKey,
    /// The run.
    pub run_id: String,
    /// Why.
    pub reason: String,
    /// What has to change first, where that is known.
    pub waits_for: Option<WaitsFor>,
    /// The event by which it can be sent again. None: its data cannot be read, and would not be the next time.
    pub event: Option<ResentEvent>,
}

/// An event that stands for the same deal as the one that came first.
#[derive(Debug, Clone, PartialEq)]
pub struct ResentEvent {
    /// Its name.
    pub name: &'static str,
    /// Its data.
    pub data: Value,
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
    /// Its price in the account's currency, kopecks and all; may be absent or zero.
    pub price: Option<Number>,
    /// The (pipeline, status) it is in, where amoCRM says so. Not part of what a run returns.
    #[serde(skip)]
    pub stage: Option<(u64, u64)>,
    /// What else its record shall hold. Not part of what a run returns.
    #[serde(skip)]
    pub more: More,
}

/// What the record of a lead shall hold besides name and amount. Empty where nothing else is configured.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct More {
    /// The text by the ERP's field.
    #[serde(default)]
    pub fields: BTreeMap<String, String>,
    /// What has yet to be read for the others.
    #[serde(flatten)]
    pub related: Related,
}

impl More {
    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty() && self.related.is_empty()
    }
}

/// The contact and the company of a lead, where something of them goes into its record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Related {
    /// The main contact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact_id: Option<u64>,
    /// The company.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub company_id: Option<u64>,
}

impl Related {
    /// Whether there is neither.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
