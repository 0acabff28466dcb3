//! What becomes of a record whose lead changes after it was made.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What was known of a deal when its lead was about to be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reading {
    /// How often the lead had been reported. What is reported later may not be in what was read.
    pub reports: u64,
    /// The deal has its record.
    pub has_record: bool,
    /// The lead was reported as deleted, and not as restored since.
    pub is_deleted: bool,
}

/// What a record was given, as far as people are shown it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// The name.
    pub name: String,
    /// The amount; absent where the record was given none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<String>,
}

/// A record beside what amoCRM has now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Compared {
    /// The ERP's id of the record.
    pub record: String,
    /// The ERP's reply from which the id is known.
    pub reply: Value,
    /// What it was given. `None`: that is not known.
    pub recorded: Option<Recorded>,
    /// What amoCRM has otherwise: `name`, `amount`, and the ERP's names of other fields.
    pub differs: Vec<String>,
    /// What amoCRM has is to be written into the record.
    pub update: bool,
    /// The ERP has the record no more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_gone: bool,
}

impl Compared {
    /// Whether the record is known to hold what amoCRM has.
    pub fn is_up_to_date(&self) -> bool {
        self.recorded.is_some() && self.differs.is_empty() && !self.is_gone
    }
}

/// What became of a deal whose lead amoCRM shows no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gone {
    /// It had no record, and gets none.
    Ended,
    /// It has this record, which stays.
    HasRecord(String),
    /// It may have a record, or was reported again: it goes on.
    Undecided,
}
