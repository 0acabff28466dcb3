//! One ERP record for each deal.
//!
//! `ledger.rs` decides when a deal is sent to the ERP and when not again; `review.rs` is what a person sees of the deals
//! that have no record, and what a person decides about them. `table.rs` holds their rows, and no other file its SQL.

mod circuit_breaker;
mod error;
mod key;
mod keyed_lock;
mod ledger;
mod review;
mod table;
#[cfg(test)]
mod tests;

pub use key::{Dedupe, key};
pub use ledger::Ledger;
pub(crate) use review::forget_claims;
pub use review::{DealCounts, FailedDeal, Resolution, counts, failed, resolve};
