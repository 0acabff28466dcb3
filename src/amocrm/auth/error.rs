use std::time::Duration;

use functions::ports::Retry;

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
    /// The exchange did not take place; the refresh token is unspent.
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
        /// Whether there was an answer, though one that says nothing. Asking again at once brings the same.
        answered: bool,
    },
    /// The stored pair is of another integration or account.
    #[error(
        "the stored tokens are of integration {client_id} in the account at {host}, and AMOCRM_CLIENT_ID, \
         AMOCRM_SUBDOMAIN or AMOCRM_BASE_URL name another. {AUTHORISE_FIRST}"
    )]
    Foreign {
        /// The integration's client id.
        client_id: String,
        /// The account's host.
        host: String,
    },
    /// The database failed. A new pair, if there is one, waits in memory.
    #[error("the database failed, so no access token can be used: {reason}; it is tried again")]
    Database {
        /// What happened.
        reason: String,
    },
}

impl TokenError {
    /// How long the same refresh token is not offered again after this error; `None`: never again.
    pub(super) fn back_off(&self) -> Option<Duration> {
        let seconds = match self {
            Self::NeedsReauth { .. } => return None,
            Self::Transient { retry_after: Some(wait), .. } => return Some(*wait),
            Self::Transient { retry_after: None, .. } => 5,
            Self::OutcomeUnknown { .. } => 60,
            Self::Config { .. } | Self::Foreign { .. } => 5 * 60,
            Self::Blocked { .. } => 15 * 60,
            Self::Database { .. } => 0,
        };
        Some(Duration::from_secs(seconds))
    }

    /// Whether the run should try again. What lasts until a person acts is not waited for there: the deal waits in the
    /// ledger, and goes on when it is over.
    pub(in crate::amocrm) fn retry(&self) -> Retry {
        match self {
            Self::Transient { retry_after: Some(wait), .. } => Retry::NotBefore(*wait),
            Self::OutcomeUnknown { .. } => Retry::NotBefore(Duration::from_secs(60)),
            Self::Transient { retry_after: None, .. } | Self::Database { .. } => Retry::Again,
            Self::NeedsReauth { .. }
            | Self::Foreign { .. }
            | Self::Config { .. }
            | Self::Blocked { .. } => Retry::Never,
        }
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

/// A consent that came to nothing. Unlike a refresh it is not tried again: its code can be spent once.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ConsentError {
    /// amoCRM issued no tokens.
    #[error("the consent was not exchanged for tokens: {}. {}", .0.reason(), .0.remedy_of_consent())]
    NotExchanged(#[from] TokenError),
    /// amoCRM issued tokens, and they wait in memory.
    #[error(
        "amoCRM has issued tokens, and the database did not store them: {reason}. They are stored once it does; if this \
         process ends before that, begin a new consent"
    )]
    NotStored {
        /// What the database says.
        reason: String,
    },
}

impl TokenError {
    /// What happened, without what to do.
    pub(super) fn reason(&self) -> String {
        match self {
            Self::Transient { reason, .. }
            | Self::NeedsReauth { reason, .. }
            | Self::Config { reason }
            | Self::Blocked { reason }
            | Self::OutcomeUnknown { reason, .. }
            | Self::Database { reason } => reason.clone(),
            Self::Foreign { .. } => self.to_string(),
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
