//! Leads of an event whose steps have failed.

use inngest::{Error, Result, StepError};

use crate::ports::WaitsFor;
use crate::webhook::AmoCrmWebhook;

/// The ids of leads, for people.
pub(super) fn ids_of(leads: &[AmoCrmWebhook]) -> String {
    let ids: Vec<_> = leads.iter().map(|lead| lead.lead_id.to_string()).collect();
    ids.join(", ")
}

/// Leads that got no record, and why.
#[derive(Debug, thiserror::Error)]
#[error("{leads}")]
pub(super) struct Failed {
    leads: String,
    #[source]
    cause: StepError,
}

impl Failed {
    pub(super) fn new(leads: &[AmoCrmWebhook], cause: StepError) -> Self {
        Self { leads: format!("lead {}", ids_of(leads)), cause }
    }

    /// All failures in one final error; their steps have used up their own retries. What all of them wait for, the
    /// error waits for.
    pub(super) fn any(failed: impl IntoIterator<Item = Self>) -> Result<()> {
        let (mut texts, mut waits_for) = (Vec::new(), Vec::new());
        for failed in failed {
            waits_for.push(WaitsFor::of_error(&failed.cause.name));
            texts.push(Error::from(failed).to_string());
        }
        waits_for.dedup();
        let error = |texts: Vec<String>| Error::new(texts.join("; ")).no_retry();
        match waits_for.as_slice() {
            [] => Ok(()),
            [Some(waits_for)] => Err(error(texts).named(waits_for.error_name())),
            _ => Err(error(texts)),
        }
    }
}
