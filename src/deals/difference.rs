//! How a record and its lead differ.

use functions::ports::WaitsFor;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::erp::Values;

/// How a record and its lead differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Difference {
    /// amoCRM has something else.
    Values {
        /// What it has.
        amocrm: Values,
    },
    /// The lead was deleted.
    Deleted,
    /// amoCRM does not show the lead.
    NotShown,
    /// The ERP has the record no more.
    RecordGone,
    /// The lead became a part of another one, which has a record, too.
    Merged {
        /// The other lead.
        lead: i64,
        /// Its record.
        record: String,
    },
}

/// The record of a deal, as far as the ledger knows it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Record {
    pub(super) erp_id: String,
    pub(super) reply: Value,
    /// What it was given. `None`: not known.
    pub(super) recorded: Option<Values>,
    /// An update of unknown outcome may have changed that.
    pub(super) is_updating: bool,
    pub(super) difference: Option<Difference>,
}

/// A deal whose record differs from its lead, or could not be compared with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DifferingDeal {
    /// `lead:<id>` or `lead:<id>:event:<id>`.
    pub(crate) key: String,
    /// The amoCRM lead.
    pub(crate) lead_id: Option<i64>,
    /// The ERP's id of the record.
    pub(crate) record: String,
    /// What the record was given. `None`: not known.
    pub(crate) recorded: Option<Values>,
    /// An update of unknown outcome may have changed that.
    pub(crate) is_updating: bool,
    /// How they differ.
    pub(crate) difference: Option<Difference>,
    /// Why they could not be compared, or the record not be updated.
    pub(crate) failure: Option<String>,
    /// What has to change before it is tried again.
    pub(crate) waits_for: Option<WaitsFor>,
    /// When it is tried again.
    pub(crate) due_at: Option<Timestamp>,
    /// When something happened to it last.
    pub(crate) since: Timestamp,
}
