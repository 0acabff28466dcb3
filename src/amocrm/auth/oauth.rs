//! The token endpoint.

use http::Method;
use http::header::{ACCEPT, CONTENT_TYPE};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;

use super::address::Address;
use super::answer;
use super::error::TokenError;
use super::pair::TokenPair;
use crate::amocrm::pause;
use crate::amocrm::settings::OAuthApp;
use crate::clock::SharedClock;
use crate::outbound::{self, CallError, Limits, Outbound, Redactor};

/// The answers are two tokens and a number; what else stands beside them must not cut them off.
const LONGEST_ANSWER: usize = 1024 * 1024;

/// The token endpoint, for one integration.
#[derive(Clone)]
pub(super) struct OAuthClient {
    app: OAuthApp,
    address: Address,
    timeout: std::time::Duration,
    outbound: Outbound,
    clock: SharedClock,
}

/// What is exchanged for a token pair. Each can be spent once.
#[derive(Clone, Copy)]
pub(super) enum Grant<'a> {
    /// From a consent.
    Code(&'a SecretString),
    /// From the pair before.
    Refresh(&'a SecretString),
}

#[derive(Serialize)]
struct Exchange<'a> {
    client_id: &'a str,
    client_secret: &'a str,
    grant_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<&'a str>,
    redirect_uri: &'a str,
}

impl OAuthClient {
    pub(super) fn new(
        app: OAuthApp,
        address: Address,
        timeout: std::time::Duration,
        outbound: Outbound,
        clock: SharedClock,
    ) -> Self {
        Self { app, address, timeout, outbound, clock }
    }

    /// `AMOCRM_REFRESH_TOKEN`, where it is set.
    pub(super) fn seed(&self) -> Option<&SecretString> {
        self.app.first_refresh_token.as_ref()
    }

    /// Whether the account that `pair` is of is found at the configured address. Its tokens are shown and not spent.
    pub(super) async fn is_here(&self, pair: &TokenPair) -> bool {
        self.address.is_home_of(&pair.access_token, &pair.refresh_token).await
    }

    /// Spends the refresh token of `pair`, at the account's new address where it was renamed.
    pub(super) async fn refresh(&self, pair: &TokenPair) -> Result<TokenPair, TokenError> {
        let TokenPair { access_token, refresh_token, .. } = pair;
        let refused = match self.exchange(Grant::Refresh(refresh_token)).await {
            Err(error @ TokenError::Config { .. }) => error,
            other => return other,
        };
        if self.address.look_up(access_token, refresh_token).await {
            self.exchange(Grant::Refresh(refresh_token)).await
        } else {
            Err(refused)
        }
    }

    /// Spends `grant`. The caller must store the pair before anything else is done with it.
    pub(super) async fn exchange(&self, grant: Grant<'_>) -> Result<TokenPair, TokenError> {
        let (grant_type, secret) = match grant {
            Grant::Code(code) => ("authorization_code", code),
            Grant::Refresh(token) => ("refresh_token", token),
        };
        let redactor = Redactor::new([&self.app.client_secret, secret]);
        let code = matches!(grant, Grant::Code(_)).then(|| secret.expose_secret());
        let refresh_token = matches!(grant, Grant::Refresh(_)).then(|| secret.expose_secret());
        let body = serde_json::to_vec(&Exchange {
            client_id: &self.app.client_id,
            client_secret: self.app.client_secret.expose_secret(),
            grant_type,
            code,
            refresh_token,
            redirect_uri: &self.app.redirect_uri,
        })
        .map_err(|error| TokenError::Config { reason: error.to_string() })?;
        let request = self
            .outbound
            .request(Method::POST, self.address.current().at("/oauth2/access_token"))
            .map_err(unanswered)?
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "application/json")
            .body(body);
        let limits = Limits { timeout: self.timeout, body: LONGEST_ANSWER };
        let timer = self.outbound.durations.begin([("call", "tokens".into())]);
        let answer = match outbound::send(request, limits).await {
            Ok(answer) => answer,
            Err(error) => {
                timer.ends("unanswered");
                return Err(unanswered(error));
            }
        };
        let now = self.clock.now();
        let read = answer::read(&answer, &redactor, now);
        timer.ends(if read.is_ok() { "done" } else { "refused" });
        let pair = read.map_err(|error| match error {
            TokenError::Transient { reason, .. } => {
                TokenError::Transient { reason, retry_after: pause::asked(&answer.headers, now) }
            }
            other => other,
        })?;
        if matches!(grant, Grant::Code(_)) && !self.address.is_of_our_account(&pair.access_token) {
            let reason =
                "the consent is for another account than AMOCRM_ACCOUNT_ID; nothing was stored";
            return Err(TokenError::Config { reason: reason.to_owned() });
        }
        Ok(pair)
    }
}

fn unanswered(error: CallError) -> TokenError {
    match error {
        CallError::NotSent(_) => {
            TokenError::Transient { reason: error.to_string(), retry_after: None }
        }
        CallError::OutcomeUnknown(reason) => TokenError::OutcomeUnknown { reason, answered: false },
    }
}
