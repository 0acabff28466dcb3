//! amoCRM's webhooks: which leads a body names, which of them make a deal, and how an event carries them.
//!
//! The body is a hint and nothing more: it is not signed, arrives late, twice or out of order. All that is
//! taken from it is which lead to look at.

mod body;
mod brackets;
mod event;
#[cfg(test)]
mod tests;

pub use body::{AmoCrmWebhook, Change, Fields, LeadFilter, Parsed, Problem};
pub use brackets::Action;
pub use event::{LeadIdNotFound, leads_in_event};
