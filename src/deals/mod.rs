//! One ERP record for each deal.
//!
//! `ledger.rs` decides when a deal is sent to the ERP and when not again; `review.rs` is what a person sees of the deals
//! that have no record, and what a person decides about them. `table.rs` holds their rows, and no other file its SQL.

mod circuit_breaker;
mod error;
mod key;
mod keyed_lock;
mod ledger;
pub(crate) mod notices;
mod review;
mod table;
#[cfg(test)]
mod tests;

pub use key::Dedupe;
pub(crate) use key::key;
pub use ledger::Ledger;
pub use review::{DealCounts, FailedDeal, counts, failed};
pub(crate) use review::{Resolution, forget_claims, resolve};
