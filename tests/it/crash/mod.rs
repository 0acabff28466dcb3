//! Crashes at every await point, against an ERP and an amoCRM that can do everything wrong.
//!
//! The invariant: a lead that was answered 200 has exactly one record, or one visible item that names it; never none
//! in silence, never two. The ledger's part is in `src/deals/tests/crash.rs`. `CRASH_ROUNDS=20 cargo test crash --
//! --nocapture` tries twenty times as many schedules.

mod delivery;

pub(crate) use sandbox::{crash_after, crash_rounds as rounds};
