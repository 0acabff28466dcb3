use jiff::Timestamp;
use secrecy::SecretString;

/// An OAuth token pair. A refresh token can be spent once; losing the newest pair means asking a person for consent.
#[derive(Debug, Clone)]
pub(in crate::amocrm) struct TokenPair {
    /// The bearer token of API calls.
    pub(in crate::amocrm) access_token: SecretString,
    /// Exchanged for the next pair, once.
    pub(in crate::amocrm) refresh_token: SecretString,
    /// When this pair was received.
    pub(in crate::amocrm) obtained_at: Timestamp,
    /// When the access token expires.
    pub(in crate::amocrm) expires_at: Timestamp,
}

/// A token pair as stored, with the generation that guards its replacement.
#[derive(Debug, Clone)]
pub(in crate::amocrm) struct StoredTokenPair {
    /// The pair.
    pub(in crate::amocrm) pair: TokenPair,
    /// Counts the pairs that this service has stored; 1 for the first.
    pub(in crate::amocrm) generation: i64,
}
