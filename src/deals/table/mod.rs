//! The table `deals`. `claims.rs` decides who may send a deal to the ERP, `progress.rs` says where a deal is and when it is
//! sent again, `changes.rs` what happens to its lead afterwards, `merges.rs` what when that becomes a part of another one.
//! `unfinished.rs` reads what is not done, `differing.rs` which records differ from their leads, `states.rs` how many deals
//! are where, `flow.rs` how many got their record when; `decisions.rs` is what people do about that. `story.rs` finds a deal, with what
//! happened to it.

mod changes;
mod claims;
mod decisions;
mod differing;
mod flow;
mod lease;
mod merges;
mod progress;
mod states;
mod story;
mod unfinished;

use anyhow::{Context as _, bail};
use functions::ports::WaitsFor;

pub(crate) use changes::changed;
pub(super) use changes::{
    UpdateClaimed, UpdateEnd, claim_update, compared, end_update, gone, reading, record,
    update_wanted,
};
pub(super) use claims::{
    Claim, Claimed, Made, Noted, Past, Release, claim, forget_claims, mark_done, mark_sending,
    release,
};
pub(crate) use decisions::{dismiss, resolve, retry};
pub(crate) use differing::{differing, differing_deal};
pub(crate) use flow::{last_record, recorded_by_hour};
pub(super) use lease::Lease;
pub(crate) use merges::merged;
pub(crate) use progress::{
    due, forwarded, forwarded_in_vain, has_deal, is_accounted_for, queue, refused_by_inngest,
    reported, waited_for, webhook_came,
};
pub(super) use progress::{not_needed, note_failure};
pub(crate) use states::states;
pub(crate) use story::{KnownDeal, find};
pub(crate) use unfinished::{counts, unfinished, unfinished_deal};

/// How it is stored what a deal waits for.
pub(crate) fn stored(waits_for: WaitsFor) -> &'static str {
    match waits_for {
        WaitsFor::Erp => "erp",
        WaitsFor::AmoCrm => "amocrm",
        WaitsFor::Consent => "consent",
        WaitsFor::Person => "person",
    }
}

/// What a deal waits for, as it is stored.
pub(crate) fn waits_for(text: &str) -> anyhow::Result<WaitsFor> {
    match WaitsFor::ALL.into_iter().find(|waits_for| stored(*waits_for) == text) {
        Some(waits_for) => Ok(waits_for),
        None => bail!("a deal waits for {text:?}, which this version does not know"),
    }
}

fn signed(id: Option<u64>) -> anyhow::Result<Option<i64>> {
    id.map(i64::try_from).transpose().context("an id is out of range")
}
