//! OAuth with amoCRM: the token pair and its exchange, the states of consents, and where amoCRM's account lives.

mod access;
mod address;
mod answer;
mod consent;
mod error;
mod exchange;
mod jwt;
mod lock;
mod oauth;
pub(super) mod pair;
mod signature;
mod states;
pub(super) mod table;
mod tokens;

pub(super) use access::AccessToken;
pub(crate) use access::Auth;
pub(crate) use consent::consent_link;
pub(super) use consent::is_our_account;
pub(super) use error::FOR_A_PERSON;
pub(crate) use error::{ConsentError, TokenError};
pub(super) use signature::is_signed;
pub(crate) use states::begin_consent;
pub(super) use states::redeem_consent;
