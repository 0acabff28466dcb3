//! What an answer of API v4 means.

use std::time::Duration;

use functions::ports::Retry;
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::call::ApiCall;
use crate::amocrm::auth::{FOR_A_PERSON, TokenError};
use crate::outbound::{Answer, CallError, Redactor};
use crate::trouble::Trouble;

/// Why a call of the API failed. The texts carry no token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ApiError {
    /// There is no access token to call with.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// amoCRM refuses the token that it has just issued.
    #[error(
        "amoCRM refuses a new access token (HTTP 401, {0}). Is the integration enabled, and is AMOCRM_SUBDOMAIN \
         the account that gave its consent?"
    )]
    Unauthorized(String),
    /// Calls are paused: too many of them, an unpaid account, a block.
    #[error("{reason}; the next call is made in {} s", .wait.as_secs())]
    Paused {
        /// What happened.
        reason: String,
        /// How long the pause lasts.
        wait: Duration,
    },
    /// amoCRM could not answer.
    #[error("amoCRM does not answer: {0}; it is tried again")]
    Unavailable(String),
    /// amoCRM answered something other than what its documents say.
    #[error("amoCRM's answer cannot be read: {0}; it is tried again")]
    Unreadable(String),
    /// amoCRM refuses the call as such.
    #[error("amoCRM refuses the call: {0}. Check AMOCRM_BASE_URL and AMOCRM_SUBDOMAIN")]
    Refused(String),
    /// The token is good, and its user may not do this.
    #[error("amoCRM does not allow this: {0}")]
    Forbidden(String),
    /// The answer is about something else than what was asked for.
    #[error("{0}")]
    Mismatch(String),
    /// The database, which the replicas take turns on, failed.
    #[error("the database failed, so amoCRM was not called: {0}; it is tried again")]
    Database(String),
}

impl ApiError {
    pub(super) fn unanswered(error: &CallError) -> Self {
        // The calls read, or may be repeated, so it does not matter how far they got.
        Self::Unavailable(error.to_string())
    }

    /// Whether trying again can help, and when.
    pub(in crate::amocrm) fn retry(&self) -> Retry {
        match self {
            Self::Token(token) => token.retry(),
            Self::Paused { wait, .. } => Retry::NotBefore(*wait),
            Self::Refused(_) | Self::Forbidden(_) | Self::Mismatch(_) => Retry::Never,
            Self::Unauthorized(_)
            | Self::Unavailable(_)
            | Self::Unreadable(_)
            | Self::Database(_) => Retry::Again,
        }
    }

    /// What is wrong, and what to do.
    pub(crate) fn trouble(&self) -> Trouble {
        let remedy = match self {
            Self::Token(_) => "deals wait until it is put right, none is lost",
            Self::Unauthorized(_) => "run `prometei-flow amocrm authorize`",
            Self::Paused { .. } => "wait, or ask amoCRM's support where it does not end",
            Self::Unavailable(_) | Self::Unreadable(_) => {
                "check the network and AMOCRM_SUBDOMAIN, then try again"
            }
            Self::Refused(_) | Self::Mismatch(_) => "correct AMOCRM_SUBDOMAIN or AMOCRM_BASE_URL",
            Self::Forbidden(_) => "use the token of an administrator",
            Self::Database(_) => "see what is said about the database",
        };
        Trouble::new(self.to_string(), remedy)
    }
}

/// What the status of an answer means.
pub(super) enum Status {
    Success,
    Unauthorized(String),
    TooMany,
    /// No call can succeed for a while, until a person has acted.
    Blocked(String, Duration),
    Failed(ApiError),
}

impl Status {
    /// Its name in the metrics.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Success => "done",
            Self::Unauthorized(_) => "unauthorized",
            Self::TooMany => "too_many",
            Self::Blocked(..) => "blocked",
            Self::Failed(ApiError::Unavailable(_)) => "unavailable",
            Self::Failed(_) => "refused",
        }
    }
}

/// Reads a body that must be there.
pub(super) fn json<T: DeserializeOwned>(answer: &Answer) -> Result<T, ApiError> {
    if !answer.complete {
        return Err(ApiError::Unreadable("it broke off or is too long".to_owned()));
    }
    serde_json::from_slice(&answer.body).map_err(|error| ApiError::Unreadable(error.to_string()))
}

/// Reads the status. Pages of HTML are as good as problem documents.
pub(super) fn status(answer: &Answer, call: &ApiCall<'_>, token: &SecretString) -> Status {
    let code = answer.status.as_u16();
    if answer.status.is_success() {
        return Status::Success;
    }
    let said = message(answer, call, token);
    let reason =
        if said.is_empty() { format!("HTTP {code}") } else { format!("HTTP {code}, {said}") };
    match code {
        401 => {
            Status::Unauthorized(if said.is_empty() { "no reason given".to_owned() } else { said })
        }
        402 => {
            Status::Blocked(format!("the amoCRM account is not paid for ({reason})"), FOR_A_PERSON)
        }
        // A page is the firewall's; a problem document is about this one call.
        403 if call.needs_rights && is_problem(answer) => {
            Status::Failed(ApiError::Forbidden(reason))
        }
        403 => Status::Blocked(
            format!(
                "amoCRM blocks this account or this server ({reason}): check the list of allowed addresses in \
                 amoCRM, or ask its support"
            ),
            FOR_A_PERSON,
        ),
        // Of the API itself; a page would be of another host.
        404 if call.may_be_absent && is_problem(answer) => Status::Success,
        429 => Status::TooMany,
        408 | 500.. => Status::Failed(ApiError::Unavailable(reason)),
        _ => Status::Failed(ApiError::Refused(reason)),
    }
}

/// Whether the answer is a problem document rather than a page.
fn is_problem(answer: &Answer) -> bool {
    serde_json::from_slice::<Value>(&answer.body).is_ok()
}

/// What amoCRM says about it, in one line.
fn message(answer: &Answer, call: &ApiCall<'_>, token: &SecretString) -> String {
    let redactor = Redactor::new(call.hidden.iter().chain([token]));
    let problem: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let part = |name: &str| problem[name].as_str().filter(|text| !text.is_empty());
    match (part("title"), part("detail")) {
        (Some(title), Some(detail)) => redactor.excerpt(format!("{title}: {detail}").as_bytes()),
        (Some(text), None) | (None, Some(text)) => redactor.excerpt(text.as_bytes()),
        (None, None) => redactor.excerpt(&answer.body),
    }
}
