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
mod webhook;

pub(crate) use forwarder::Forwarder;
pub(crate) use pace::Pace;
pub(crate) use retention::purge_daily;
pub(crate) use rows::{HeldRow, InboxCounts, UnreadableBody};
pub(crate) use store::Inbox;
pub(crate) use webhook::{Intake, webhook_router};
