//! The amoCRM side: OAuth and the leads API.
//!
//! The host comes from configuration alone, a refresh token is spent once and its successor is stored before it
//! is used, and amoCRM's limits are kept here, so that no caller has to know them.
mod api;
mod auth;
pub mod hook;
mod port;
mod settings;
pub mod watch;

pub(crate) use api::answer;
pub(crate) use api::call;
pub use api::{Account, AmoCrmClient, ApiError, LeadError, SETTINGS, Webhook};
pub use auth::{
    Consent, ExchangeLock, StoredTokenPair, TokenError, TokenPair, TokenStore, consent_link,
    is_our_account, is_signed, oauth_router,
};
pub use port::{AmoCrmPort, MissingAmoCrm};
pub use settings::{AmoCrmAuth, AmoCrmSettings, BaseUrl, InvalidBaseUrl, OAuthApp, Timeouts};
