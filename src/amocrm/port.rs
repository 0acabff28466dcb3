use std::collections::BTreeMap;
use std::error::Error as StdError;

use functions::ports::{self, AmoCrm, Authorization, Lead, Related, Retry, WaitsFor};
use jiff::Timestamp;

use super::api::{AmoCrmClient, ApiError, ReadError};
use super::auth::TokenError;
use super::settings::AmoCrmSettings;
use crate::db::Db;
use crate::outbound::Outbound;
use crate::trouble::Trouble;

/// amoCRM as configured, or the lack of it. The function is registered either way; without amoCRM its runs fail and
/// say what to set.
#[derive(Clone)]
pub(crate) enum AmoCrmPort {
    /// There is an account to talk to.
    Configured(AmoCrmClient),
    /// There is none.
    Missing(MissingAmoCrm),
}

/// What to set where no amoCRM is configured.
pub(crate) const SET: &str = "set AMOCRM_SUBDOMAIN, AMOCRM_CLIENT_ID, AMOCRM_CLIENT_SECRET and AMOCRM_REDIRECT_URI, or \
                              AMOCRM_SUBDOMAIN and AMOCRM_ACCESS_TOKEN";

/// No amoCRM is configured.
pub(crate) fn missing() -> Trouble {
    Trouble::new("amoCRM is not configured: webhooks are stored, and their runs fail", SET)
}

/// amoCRM is not configured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, thiserror::Error)]
#[error("amoCRM is not configured: {SET}, restart, then run `prometei-flow deals retry --all`")]
pub(crate) struct MissingAmoCrm;

/// Why amoCRM cannot be worked with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Away {
    /// What is wrong.
    pub(crate) trouble: Trouble,
    /// It lasts until a person gives consent in amoCRM.
    pub(crate) needs_consent: bool,
}

impl From<MissingAmoCrm> for ports::Error {
    fn from(missing: MissingAmoCrm) -> Self {
        Self::never(missing).waiting_for(WaitsFor::Person)
    }
}

impl From<TokenError> for ports::Error {
    fn from(error: TokenError) -> Self {
        ApiError::Token(error).into()
    }
}

impl From<ApiError> for ports::Error {
    fn from(error: ApiError) -> Self {
        port_error(error.retry(), waits_for(&error), error)
    }
}

impl From<ReadError> for ports::Error {
    fn from(error: ReadError) -> Self {
        port_error(error.source.retry(), waits_for(&error.source), error)
    }
}

fn port_error(
    retry: Retry,
    waits_for: Option<WaitsFor>,
    error: impl StdError + Send + Sync + 'static,
) -> ports::Error {
    let error = ports::Error::new(retry, error);
    match waits_for {
        Some(waits_for) => error.waiting_for(waits_for),
        None => error,
    }
}

/// What has to change before a deal gets further that this error has stopped. `None` where asking again is all that can
/// be done: amoCRM may answer for others and not for this lead, and a database is not waited for.
fn waits_for(error: &ApiError) -> Option<WaitsFor> {
    match error {
        ApiError::Token(TokenError::NeedsReauth { .. } | TokenError::Foreign { .. }) => {
            Some(WaitsFor::Consent)
        }
        // With corrected settings too it goes on by itself: amoCRM answers then.
        ApiError::Token(
            TokenError::Transient { .. }
            | TokenError::OutcomeUnknown { .. }
            | TokenError::Config { .. }
            | TokenError::Blocked { .. },
        )
        | ApiError::Unauthorized(_)
        | ApiError::Paused { .. }
        | ApiError::Unavailable(_) => Some(WaitsFor::AmoCrm),
        // The account answers, and it does not help this lead.
        ApiError::Refused(_) | ApiError::Forbidden(_) | ApiError::Mismatch(_) => {
            Some(WaitsFor::Person)
        }
        ApiError::Token(TokenError::Database { .. })
        | ApiError::Unreadable(_)
        | ApiError::Database(_) => None,
    }
}

impl AmoCrmPort {
    /// amoCRM as `settings` describe it, with its tokens in `db`.
    pub(crate) fn new(settings: Option<AmoCrmSettings>, db: &Db, outbound: &Outbound) -> Self {
        settings.map_or(Self::Missing(MissingAmoCrm), |settings| {
            let clock = db.clock();
            Self::Configured(AmoCrmClient::new(settings, db.clone(), outbound.clone(), clock))
        })
    }

    /// Waits for an exchange of tokens that is under way. A process that ends within one loses the new pair.
    pub(crate) async fn drain(&self) {
        if let Self::Configured(client) = self {
            client.auth().wait_for_exchange().await;
        }
    }

    /// Whether amoCRM can be worked with: a token is at hand, and the account answers to it. One call, and none while calls
    /// are paused.
    pub(crate) async fn probe(&self) -> Result<(), Away> {
        let client =
            self.client().map_err(|_| Away { trouble: missing(), needs_consent: false })?;
        let away = |error: ApiError| Away {
            trouble: error.trouble(),
            needs_consent: waits_for(&error) == Some(WaitsFor::Consent),
        };
        client.account().await.map(drop).map_err(away)
    }

    /// Whether deals wait for a person to authorise the service again, by what is stored: without a call of amoCRM.
    pub(crate) async fn needs_consent(&self) -> ports::Result<bool> {
        Ok(self.client()?.auth().needs_consent().await?)
    }

    /// When each kind of token that there is expires, by what is stored.
    pub(crate) async fn token_expiries(&self) -> anyhow::Result<Vec<(&'static str, Timestamp)>> {
        match self {
            Self::Configured(client) => client.auth().expiries().await,
            Self::Missing(_) => Ok(Vec::new()),
        }
    }

    /// The client, or what to set.
    pub(crate) fn client(&self) -> Result<&AmoCrmClient, MissingAmoCrm> {
        match self {
            Self::Configured(client) => Ok(client),
            Self::Missing(missing) => Err(*missing),
        }
    }
}

impl AmoCrm for AmoCrmPort {
    async fn authorize(&self) -> ports::Result<Authorization> {
        Ok(self.client()?.authorize().await?)
    }

    async fn lead(&self, lead_id: u64) -> ports::Result<Option<Lead>> {
        Ok(self.client()?.lead(lead_id).await?)
    }

    async fn is_deleted(&self, lead_id: u64) -> ports::Result<bool> {
        Ok(self.client()?.is_in_bin(lead_id).await?)
    }

    async fn related(&self, related: Related) -> ports::Result<BTreeMap<String, String>> {
        Ok(self.client()?.related(related).await?)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use functions::ports::{self, WaitsFor};

    use super::{ApiError, MissingAmoCrm, TokenError};
    use WaitsFor::{AmoCrm, Consent, Person};

    #[test]
    fn each_error_says_what_a_deal_waits_for() {
        let text = String::new;
        let token = |error| ports::Error::from(ApiError::Token(error));
        for (what, error, waits_for) in [
            (
                "the tokens are dead",
                token(TokenError::NeedsReauth { reason: text(), remedy: "" }),
                Some(Consent),
            ),
            (
                "the tokens are of another integration",
                token(TokenError::Foreign { client_id: text(), host: text() }),
                Some(Consent),
            ),
            (
                "the token endpoint is away",
                token(TokenError::Transient { reason: text(), retry_after: None }),
                Some(AmoCrm),
            ),
            (
                "it is not known whether there are tokens",
                token(TokenError::OutcomeUnknown { reason: text(), answered: true }),
                Some(AmoCrm),
            ),
            (
                "the integration's secret is wrong",
                token(TokenError::Config { reason: text() }),
                Some(AmoCrm),
            ),
            ("the firewall", token(TokenError::Blocked { reason: text() }), Some(AmoCrm)),
            ("a new token is refused", ApiError::Unauthorized(text()).into(), Some(AmoCrm)),
            (
                "429, 402, 403",
                ApiError::Paused { reason: text(), wait: Duration::ZERO }.into(),
                Some(AmoCrm),
            ),
            ("no network, 5xx", ApiError::Unavailable(text()).into(), Some(AmoCrm)),
            ("an odd answer", ApiError::Unreadable(text()).into(), None),
            ("the call is refused", ApiError::Refused(text()).into(), Some(Person)),
            ("no rights", ApiError::Forbidden(text()).into(), Some(Person)),
            ("another account's lead", ApiError::Mismatch(text()).into(), Some(Person)),
            ("our database", ApiError::Database(text()).into(), None),
            ("our database", token(TokenError::Database { reason: text() }), None),
            ("no configuration", MissingAmoCrm.into(), Some(Person)),
        ] {
            assert_eq!(error.waits_for(), waits_for, "{what}");
        }
    }
}
