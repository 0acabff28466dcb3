//! amoCRM's API: one client, at a pace that amoCRM allows, and what is read and written with it.

pub(super) mod account;
mod answer;
mod bin;
mod call;
mod client;
mod gate;
mod lead;
mod mapped;
mod pipelines;
mod price;

pub(super) mod table;
mod webhooks;

pub(crate) use answer::ApiError;
pub(crate) use client::AmoCrmClient;
pub(super) use lead::ReadError;
pub(super) use webhooks::Webhook;
