//! The amoCRM side: OAuth and the leads API.
//!
//! The host comes from configuration alone, a refresh token is spent once and its successor is stored before it
//! is used, and amoCRM's limits are kept here, so that no caller has to know them.
mod account;
mod address;
mod api;
mod call;
mod client;
mod consent;
mod disabled;
mod events;
mod gate;
mod jwt;
mod lead;
mod oauth;
mod port;
mod settings;
mod token_error;
mod token_store;
mod tokens;
mod webhooks;

pub use account::Account;
pub use api::ApiError;
pub use client::AmoCrmClient;
pub use consent::{consent_link, is_our_account};
pub use disabled::is_signed;
pub use events::{EventPage, FeedEvent, FeedQuery, LEAD_EVENTS};
pub use lead::LeadError;
pub use port::{AmoCrmPort, MissingAmoCrm};
pub use settings::{AmoCrmAuth, AmoCrmSettings, BaseUrl, InvalidBaseUrl, OAuthApp, Timeouts};
pub use token_error::TokenError;
pub use token_store::{ExchangeLock, StoredTokenPair, TokenPair, TokenStore};
pub use webhooks::{SETTINGS, Webhook};
