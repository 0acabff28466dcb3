//! The amoCRM side: OAuth and the leads API.
mod token_store;

pub use token_store::{StoredTokenPair, TokenPair, TokenStore};
