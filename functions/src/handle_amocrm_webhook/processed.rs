//! What became of the leads of an event: the result of the run.

use serde::Serialize;
use serde_json::Value;

use crate::ports::{Compared, Lead, Recorded};

/// What became of a lead.
pub(super) enum Outcome {
    Record(Box<ProcessedLead>),
    Skipped(SkippedLead),
}

/// The result of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Processed {
    /// The event named one lead.
    One(Box<ProcessedLead>),
    /// The event named several leads, or none that makes a deal.
    Several {
        /// Whether it is so of each lead. A lead that fails fails the run.
        success: bool,
        /// In the order in which the event named them.
        leads: Vec<ProcessedLead>,
        /// Leads that turned out to make no deal.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        skipped: Vec<SkippedLead>,
    },
}

impl Processed {
    pub(super) fn of(leads: Vec<ProcessedLead>, skipped: Vec<SkippedLead>) -> Self {
        let success = leads.iter().all(|lead| lead.success);
        match <[ProcessedLead; 1]>::try_from(leads) {
            Ok([only]) if skipped.is_empty() => Self::One(Box::new(only)),
            Ok([only]) => Self::Several { success, leads: vec![only], skipped },
            Err(leads) => Self::Several { success, leads, skipped },
        }
    }
}

/// A lead that makes no deal, or whose record is not touched, which showed only when it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SkippedLead {
    id: u64,
    reason: String,
}

impl SkippedLead {
    pub(super) fn new(id: u64, reason: String) -> Self {
        Self { id, reason }
    }
}

/// One lead that has its record.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProcessedLead {
    /// Whether the record holds what amoCRM has, as far as is known.
    success: bool,
    amo_crm_lead: Lead,
    erp_result: Value,
    processed_at: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    duplicate: bool,
    /// What amoCRM has was written into the record by this run.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    updated: bool,
    #[serde(flatten)]
    difference: Option<Difference>,
}

impl ProcessedLead {
    pub(super) fn new(lead: Lead, reply: Value, processed_at: String, duplicate: bool) -> Self {
        Self {
            success: true,
            amo_crm_lead: lead,
            erp_result: reply,
            processed_at,
            duplicate,
            updated: false,
            difference: None,
        }
    }

    /// The same beside what its record holds otherwise.
    pub(super) fn beside(self, difference: Option<Difference>, updated: bool) -> Self {
        Self { success: difference.is_none(), difference, updated, ..self }
    }
}

/// What a result shows of a record that is not known to hold what amoCRM has.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Difference {
    /// What the record was given; null where that is not known.
    recorded: Option<Recorded>,
    differs: Vec<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not", rename = "recordIsGone")]
    is_gone: bool,
}

impl Difference {
    pub(super) fn of(compared: Option<Compared>) -> Option<Self> {
        let Compared { recorded, differs, is_gone, .. } =
            compared.filter(|compared| !compared.is_up_to_date())?;
        Some(Self { recorded, differs, is_gone })
    }
}
