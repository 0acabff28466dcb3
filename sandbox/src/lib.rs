//! An amoCRM and an ERP for the demo, for development and for tests. They behave like the real ones, quirks
//! included, keep everything in memory and record every request.
mod amocrm;
pub mod bodies;
mod crash;
mod database;
mod erp;
mod server;

pub use amocrm::{AmoCrmFailure, FakeAmoCrm, FakeAmoCrmSettings};
pub use crash::{crash_after, crash_rounds};
pub use database::Database;
pub use erp::{ErpFailure, ErpRow, ErpVersion, FakeErp, FakeErpSettings};
pub use server::RecordedRequest;
