//! A webhook becomes rows, and rows become events: amoCRM is answered once its leads are stored, and what is stored
//! goes to Inngest until Inngest has it.

mod forwarder;
mod pace;
mod queue;
mod read;
mod retention;
mod rows;
mod store;
mod table;
#[cfg(test)]
mod tests;
mod webhook;

pub use forwarder::Forwarder;
pub use pace::Pace;
pub use retention::{KEEP_BODIES_FOR, purge_daily};
pub use rows::{CLAIM, HeldRow, InboxCounts};
pub use store::Inbox;
pub(crate) use webhook::webhook_router;
pub use webhook::{BODY_LIMIT, Intake};
