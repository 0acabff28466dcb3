use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};

use super::error::{AUTHORISE, TokenError};

/// An OAuth token pair. A refresh token can be spent once; losing the newest pair means asking a person for consent.
#[derive(Debug, Clone)]
pub(in crate::amocrm) struct TokenPair {
    /// The bearer token of API calls. Empty, and expired, where amoCRM's answer had none.
    pub(in crate::amocrm) access_token: SecretString,
    /// Exchanged for the next pair, once. Empty where amoCRM's answer had none: the one before it is spent all the same.
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
    /// Whose it is: the client id and the account's host. `None` for one that was stored before that was noted.
    pub(super) owner: Option<(String, String)>,
    /// Why amoCRM refused the refresh token, once it did.
    pub(super) refused: Option<String>,
}

/// Whose the pairs of this process are, and what they grow out of.
#[derive(Debug, Clone)]
pub(in crate::amocrm) struct Owner {
    /// `AMOCRM_CLIENT_ID`: a refresh token can be spent by the integration that it was issued to.
    pub(in crate::amocrm) client_id: String,
    /// The account's host, as configured. Without its port: that of a stand-in on this machine changes.
    pub(in crate::amocrm) host: String,
    /// The fingerprint of `AMOCRM_REFRESH_TOKEN`, where it is set.
    pub(in crate::amocrm) seed: Option<String>,
}

impl StoredTokenPair {
    /// Whether `owner` may use it, as far as is noted.
    pub(super) fn is_of(&self, owner: &Owner) -> bool {
        let noted = self.owner.as_ref();
        noted.is_none_or(|(id, host)| (id, host) == (&owner.client_id, &owner.host))
    }

    /// Why only a new consent can replace this pair, where that is so.
    pub(super) fn is_last(&self) -> Option<TokenError> {
        let reason = match &self.refused {
            Some(reason) => reason.clone(),
            None if self.pair.refresh_token.expose_secret().is_empty() => {
                "amoCRM's last answer came without a refresh token".to_owned()
            }
            None => return None,
        };
        Some(TokenError::NeedsReauth { reason, remedy: AUTHORISE })
    }
}
