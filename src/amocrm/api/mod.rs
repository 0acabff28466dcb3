//! amoCRM's API: one client, at a pace that amoCRM allows, and what is read and written with it.

mod account;
pub(crate) mod answer;
pub(crate) mod call;
mod client;
mod gate;
mod lead;
mod webhooks;

pub use account::Account;
pub use answer::ApiError;
pub use client::AmoCrmClient;
pub use lead::LeadError;
pub use webhooks::{SETTINGS, Webhook};
