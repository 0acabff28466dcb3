//! One ERP record for each deal: the ledger, who may send a deal now, and what a person decides about it.

mod breaker;
mod error;
mod key;
mod ledger;
pub(crate) mod notices;
mod outcome;
mod review;
mod table;
mod turns;

pub use breaker::UNCLEAR_ANSWERS;
pub use error::LedgerError;
pub use key::key;
pub use ledger::{Ledger, SETTLING};
pub(crate) use review::forget_claims;
pub use review::{DealCounts, FailedDeal, Resolution};
pub use table::{Claim, ClaimedDeal, DealRef, Lease, Unsent};
