//! A webhook becomes rows, and rows become events: amoCRM is answered once its leads are stored, and what is stored
//! goes to Inngest until Inngest has it.

mod forwarder;
mod pace;
mod queue;
mod read;
mod repeat;
mod retention;
mod rows;
mod store;
mod table;
#[cfg(test)]
mod tests;
mod unreadable;
mod webhook;

pub use forwarder::Forwarder;
pub use pace::Pace;
pub use read::BODY_LIMIT;
pub use retention::{KEEP_BODIES_FOR, purge_daily};
pub use rows::{CLAIM, HeldRow, InboxCounts};
pub use store::Inbox;
pub use unreadable::UnreadableBody;
pub use webhook::Intake;
pub(crate) use webhook::webhook_router;
