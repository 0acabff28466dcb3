//! One ERP record for each deal.
//!
//! A deal has a row from the moment at which it is reported. `ledger.rs` decides when it is sent to the ERP and when not
//! again, `changes.rs` what happens to its record when the lead changes later; `schedule.rs` when it is sent to
//! Inngest again; `review.rs` is what a person sees of the deals that have no record, `decisions.rs` what a person decides
//! about them; `difference.rs` is how a record and its lead differ, `story.rs` what happened to a deal. `table` holds their
//! rows, and no other module its SQL.

mod changes;
mod circuit_breaker;
mod decisions;
mod difference;
mod error;
mod key;
mod ledger;
mod report;
mod review;
mod schedule;
mod story;
mod table;
#[cfg(test)]
mod tests;

pub(crate) use decisions::{end_doubt, forget_claims, send_again};
pub(crate) use difference::{Difference, DifferingDeal};
pub(crate) use key::Dedupe;
pub(crate) use key::key_of_lead;
pub(crate) use ledger::Ledger;
pub(crate) use report::{Due, Obstacle, Report, Source};
pub(crate) use report::{OnChange, Rules};
#[cfg(test)]
pub(crate) use review::DealCounts;
pub(crate) use review::{DEAL_STATES, DealState, Progress, Resolution, UnfinishedDeal, Which};
pub(crate) use schedule::Schedule;
pub(crate) use story::{Line, What};
pub(crate) use table::{
    KnownDeal, changed, counts, differing, differing_deal, dismiss, due, find, forwarded,
    forwarded_in_vain, has_deal, is_accounted_for, last_record, merged, queue, recorded_by_hour,
    refused_by_inngest, reported, states, stored, unfinished, unfinished_deal, waited_for,
    waits_for, webhook_came,
};
#[cfg(test)]
pub(crate) use table::{resolve, retry};
