use std::time::Duration;

use functions::ports::{self, Retry};
use jiff::{SignedDuration, Timestamp};

/// How long to leave alone what only a person can put right.
pub(in crate::amocrm) const FOR_A_PERSON: Duration = Duration::from_secs(30 * 60);

/// Why there is no access token. The texts carry no token and no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// amoCRM could not answer; the refresh token is unspent.
    #[error("amoCRM could not issue an access token: {reason}; it is tried again")]
    Transient {
        /// What happened.
        reason: String,
        /// How long amoCRM asked to wait.
        retry_after: Option<Duration>,
    },
    /// No token that we have is worth anything: a person must give consent again.
    #[error("amoCRM needs to be authorised again: {reason}. {remedy}")]
    NeedsReauth {
        /// What happened.
        reason: String,
        /// What a person should do.
        remedy: &'static str,
    },
    /// The integration's settings here and in amoCRM differ.
    #[error(
        "amoCRM refused the integration: {reason}. Compare AMOCRM_CLIENT_ID, AMOCRM_CLIENT_SECRET, \
         AMOCRM_REDIRECT_URI and AMOCRM_SUBDOMAIN with the integration's settings in amoCRM"
    )]
    Config {
        /// amoCRM's words.
        reason: String,
    },
    /// amoCRM's firewall, or a block of the whole account.
    #[error(
        "amoCRM blocks this server: {reason}. Check the list of allowed addresses in amoCRM, or ask its support"
    )]
    Blocked {
        /// What happened.
        reason: String,
    },
    /// The refresh token may be spent, and its successor lost.
    #[error("it is unknown whether amoCRM issued an access token: {reason}; it is tried again")]
    Ambiguous {
        /// What happened.
        reason: String,
    },
    /// The token store does not answer. A new pair, if there is one, waits in memory.
    #[error("the token store failed: {reason}")]
    Db {
        /// What happened.
        reason: String,
    },
}

impl TokenError {
    /// Until when the token endpoint is left alone after this error; `None` while the stored pair stays the same.
    pub(in crate::amocrm) fn quiet_until(&self, now: Timestamp) -> Option<Timestamp> {
        let seconds = match self {
            Self::NeedsReauth { .. } => return None,
            Self::Transient { retry_after: Some(wait), .. } => {
                return Some(now.saturating_add(*wait).unwrap_or(Timestamp::MAX));
            }
            Self::Transient { retry_after: None, .. } => 5,
            Self::Ambiguous { .. } => 60,
            Self::Config { .. } => 5 * 60,
            Self::Blocked { .. } => 15 * 60,
            Self::Db { .. } => 0,
        };
        Some(now.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX))
    }

    /// How long Inngest should wait before it tries again; `None` leaves that to its back-off.
    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Transient { retry_after, .. } => *retry_after,
            Self::Ambiguous { .. } => Some(Duration::from_secs(60)),
            Self::NeedsReauth { .. } | Self::Config { .. } | Self::Blocked { .. } => {
                Some(FOR_A_PERSON)
            }
            Self::Db { .. } => None,
        }
    }

    /// Always again: deals wait for a token, they are not dropped.
    pub(in crate::amocrm) fn retry(&self) -> Retry {
        self.retry_after().map_or(Retry::Again, Retry::NotBefore)
    }

    /// The error of a second attempt, when nobody knows what the first one did.
    pub(in crate::amocrm) fn after_unknown_outcome(self, first: &str) -> Self {
        match self {
            Self::NeedsReauth { reason, remedy } => Self::NeedsReauth {
                reason: format!(
                    "{reason}, after a refresh of unknown outcome ({first}): the new tokens were lost on the way"
                ),
                remedy,
            },
            other => other,
        }
    }

    /// The same error with other advice.
    pub(in crate::amocrm) fn with_remedy(self, remedy: &'static str) -> Self {
        match self {
            Self::NeedsReauth { reason, .. } => Self::NeedsReauth { reason, remedy },
            other => other,
        }
    }
}

impl From<TokenError> for ports::Error {
    fn from(error: TokenError) -> Self {
        Self::new(error.retry(), error)
    }
}
