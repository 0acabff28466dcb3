use std::time::Duration;

use functions::ports::{self, Retry};
use jiff::{SignedDuration, Timestamp};

/// How long to wait for what only a person can put right.
pub(in crate::amocrm) const FOR_A_PERSON: Duration = Duration::from_secs(30 * 60);

/// What to do about a dead token pair.
pub(super) const AUTHORISE: &str = "Run `prometei-flow amocrm authorize`; deals wait until then";

/// What to do while no token pair is stored.
pub(super) const AUTHORISE_FIRST: &str = "Run `prometei-flow amocrm authorize`, or set AMOCRM_REFRESH_TOKEN to a \
                                          fresh token and restart; deals wait until then";

/// What to do about a dead long-lived token.
pub(super) const NEW_LONG_LIVED_TOKEN: &str = "Create a new one in amoCRM (the integration's \"Keys\" tab), set \
                                               AMOCRM_ACCESS_TOKEN and restart; deals wait until then";

/// Why there is no access token. The texts carry no token and no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenError {
    /// amoCRM could not answer; the refresh token is unspent.
    #[error("amoCRM could not issue an access token: {reason}; it is tried again")]
    Transient {
        /// What happened.
        reason: String,
        /// How long amoCRM asked to wait.
        retry_after: Option<Duration>,
    },
    /// Every token is dead: a person must give consent again.
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
        /// What amoCRM answered.
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
    OutcomeUnknown {
        /// What happened.
        reason: String,
    },
    /// The database failed. A new pair, if there is one, waits in memory.
    #[error("the database failed, so no access token can be used: {reason}; it is tried again")]
    Database {
        /// What happened.
        reason: String,
    },
}

impl TokenError {
    /// Until when the token endpoint is not asked again after this error; `None` while the stored pair stays the same.
    pub(super) fn backs_off_until(&self, now: Timestamp) -> Option<Timestamp> {
        let seconds = match self {
            Self::NeedsReauth { .. } => return None,
            Self::Transient { retry_after: Some(wait), .. } => {
                return Some(now.saturating_add(*wait).unwrap_or(Timestamp::MAX));
            }
            Self::Transient { retry_after: None, .. } => 5,
            Self::OutcomeUnknown { .. } => 60,
            Self::Config { .. } => 5 * 60,
            Self::Blocked { .. } => 15 * 60,
            Self::Database { .. } => 0,
        };
        Some(now.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX))
    }

    /// How long to wait before the next attempt; `None` leaves that to Inngest's back-off.
    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Transient { retry_after, .. } => *retry_after,
            Self::OutcomeUnknown { .. } => Some(Duration::from_secs(60)),
            Self::NeedsReauth { .. } | Self::Config { .. } | Self::Blocked { .. } => {
                Some(FOR_A_PERSON)
            }
            Self::Database { .. } => None,
        }
    }

    /// Always again: deals wait for a token, they are not dropped.
    pub(in crate::amocrm) fn retry(&self) -> Retry {
        self.retry_after().map_or(Retry::Again, Retry::NotBefore)
    }

    /// The error of a second attempt, after a first one of unknown outcome.
    pub(super) fn after_unknown_outcome(self, first: &str) -> Self {
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

    /// The same error with another remedy.
    pub(super) fn with_remedy(self, remedy: &'static str) -> Self {
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

/// A consent that was not exchanged for tokens. Unlike a refresh it is not tried again: its code can be spent once.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the consent was not exchanged for tokens: {}. {}", .0.reason(), .0.remedy_of_consent())]
pub(crate) struct ConsentError(#[from] TokenError);

impl TokenError {
    fn reason(&self) -> &str {
        match self {
            Self::Transient { reason, .. }
            | Self::NeedsReauth { reason, .. }
            | Self::Config { reason }
            | Self::Blocked { reason }
            | Self::OutcomeUnknown { reason }
            | Self::Database { reason } => reason,
        }
    }

    fn remedy_of_consent(&self) -> &'static str {
        match self {
            Self::Config { .. } => {
                "Compare AMOCRM_CLIENT_ID, AMOCRM_CLIENT_SECRET, AMOCRM_REDIRECT_URI, AMOCRM_SUBDOMAIN and \
                 AMOCRM_ACCOUNT_ID with the integration in amoCRM, then begin a new consent"
            }
            Self::Blocked { .. } => {
                "Check the list of allowed addresses in amoCRM, or ask its support, then begin a new consent"
            }
            _ => "Begin a new consent",
        }
    }
}
