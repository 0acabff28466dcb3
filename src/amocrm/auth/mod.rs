//! OAuth with amoCRM: consent, the token pair and its exchange, and where amoCRM's account lives.

pub(super) mod address;
mod consent;
mod disabled;
mod error;
pub(super) mod jwt;
pub(super) mod oauth;
mod pages;
mod states;
mod store;
mod table;
pub(super) mod tokens;

pub use consent::{consent_link, is_our_account};
pub use disabled::is_signed;
pub(super) use error::FOR_A_PERSON;
pub use error::TokenError;
pub use pages::{Consent, oauth_router};
pub use store::{ExchangeLock, StoredTokenPair, TokenPair, TokenStore};
