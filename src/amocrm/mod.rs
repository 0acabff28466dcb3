//! The amoCRM side: OAuth, the API, the webhook that amoCRM must have for us, and the health of all that.
//!
//! The host comes from configuration alone, a refresh token is spent once and its successor is stored before it
//! is used, and amoCRM's limits are kept here, so that no caller has to know them.
mod api;
mod auth;
pub(crate) mod hook;
mod mapping;
mod pages;
mod pause;
mod port;
mod settings;
#[cfg(test)]
mod tests;
pub(crate) mod watch;

pub(crate) use api::{AmoCrmClient, ApiError};
pub(crate) use auth::{begin_consent, consent_link};
#[cfg(test)]
pub(crate) use mapping::Detail;
pub(crate) use mapping::{Mapping, Source};
pub(crate) use pages::oauth_router;
pub(crate) use port::{AmoCrmPort, SET, missing};
pub(crate) use settings::{AmoCrmAuth, AmoCrmSettings, BaseUrl, OAuthApp, Timeouts};
