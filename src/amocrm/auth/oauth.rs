//! The token endpoint.

use http::Method;
use http::header::{ACCEPT, CONTENT_TYPE};
use jiff::SignedDuration;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use super::address::Address;
use super::error::{AUTHORISE, TokenError};
use super::pair::TokenPair;
use crate::amocrm::settings::OAuthApp;
use crate::clock::SharedClock;
use crate::outbound::{self, Answer, CallError, Limits, Outbound, Redactor};

/// The answers are two tokens and a number; errors may be a page of HTML.
const LONGEST_ANSWER: usize = 64 * 1024;

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

#[derive(Deserialize)]
struct Tokens {
    access_token: String,
    refresh_token: String,
    expires_in: i64,
}

/// amoCRM's error body; `hint` is what tells one error from another.
#[derive(Default, Deserialize)]
struct Problem {
    #[serde(default)]
    hint: Option<String>,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    detail: Option<String>,
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

    /// The refresh token from the configuration.
    pub(super) fn first_refresh_token(&self) -> Option<&SecretString> {
        self.app.first_refresh_token.as_ref()
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
        let answer = outbound::send(request, limits).await.map_err(unanswered)?;
        let pair = self.read(&answer, &redactor)?;
        if matches!(grant, Grant::Code(_)) && !self.address.is_of_our_account(&pair.access_token) {
            let reason =
                "the consent is for another account than AMOCRM_ACCOUNT_ID; nothing was stored";
            return Err(TokenError::Config { reason: reason.to_owned() });
        }
        Ok(pair)
    }

    fn read(&self, answer: &Answer, redactor: &Redactor) -> Result<TokenPair, TokenError> {
        let now = self.clock.now();
        if !answer.status.is_success() {
            let retry_after = outbound::retry_after(&answer.headers, now);
            let failure = classify(answer.status.as_u16(), &answer.body, redactor);
            return Err(match failure {
                TokenError::Transient { reason, .. } => {
                    TokenError::Transient { reason, retry_after }
                }
                other => other,
            });
        }
        // From here on the grant is spent, most likely; the body itself may hold tokens and is not quoted.
        let unusable = |what: &str| TokenError::OutcomeUnknown {
            reason: format!("HTTP {} {what}", answer.status.as_u16()),
        };
        let tokens: Tokens = serde_json::from_slice(&answer.body)
            .map_err(|_| unusable("with something other than a token pair"))?;
        if tokens.access_token.is_empty() || tokens.refresh_token.is_empty() {
            return Err(unusable("with an empty token"));
        }
        let life = SignedDuration::from_secs(tokens.expires_in.max(0));
        let expires_at = now.saturating_add(life).map_err(|_| unusable("with an absurd life"))?;
        Ok(TokenPair {
            access_token: tokens.access_token.into(),
            refresh_token: tokens.refresh_token.into(),
            obtained_at: now,
            expires_at,
        })
    }
}

fn unanswered(error: CallError) -> TokenError {
    match error {
        CallError::NotSent(_) => {
            TokenError::Transient { reason: error.to_string(), retry_after: None }
        }
        CallError::OutcomeUnknown(reason) => TokenError::OutcomeUnknown { reason },
    }
}

/// What an error of the token endpoint means. 400 and 401 are used interchangeably, so the hint decides.
fn classify(status: u16, body: &[u8], redactor: &Redactor) -> TokenError {
    let problem: Option<Problem> = serde_json::from_slice(body).ok();
    let known = problem.is_some();
    let Problem { hint, title, detail } = problem.unwrap_or_default();
    let text = hint.clone().or(title.clone()).or(detail);
    let text =
        text.map_or_else(|| redactor.excerpt(body), |text| redactor.excerpt(text.as_bytes()));
    let reason =
        if text.is_empty() { format!("HTTP {status}") } else { format!("HTTP {status}, {text}") };

    let words =
        format!("{} {}", hint.unwrap_or_default(), title.unwrap_or_default()).to_lowercase();
    let says = |list: &[&str]| list.iter().any(|word| words.contains(word));
    match status {
        400 | 401 if says(&["client_id", "client_secret", "redirect uri", "клиент", "account"]) => {
            TokenError::Config { reason }
        }
        400 | 401 if says(&["revoked", "expired", "invalid refresh token", "cannot decrypt"]) => {
            TokenError::NeedsReauth { reason, remedy: AUTHORISE }
        }
        403 => TokenError::Blocked { reason },
        408 | 429 | 500.. => TokenError::Transient { reason, retry_after: None },
        _ if known => TokenError::Config { reason },
        _ => TokenError::Config { reason: format!("{reason} (not amoCRM's token endpoint?)") },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{TokenError, classify};
    use crate::outbound::Redactor;

    fn meaning(status: u16, body: &str) -> &'static str {
        match classify(status, body.as_bytes(), &Redactor::default()) {
            TokenError::Transient { .. } => "transient",
            TokenError::NeedsReauth { .. } => "needs reauth",
            TokenError::Config { .. } => "config",
            TokenError::Blocked { .. } => "blocked",
            TokenError::OutcomeUnknown { .. } => "outcome unknown",
            TokenError::Database { .. } => "database",
        }
    }

    #[test]
    fn the_hint_decides_not_the_status() {
        for (hint, expected) in [
            ("Token has been revoked", "needs reauth"),
            ("Authorization code has expired", "needs reauth"),
            ("Authorization code has been revoked", "needs reauth"),
            ("Cannot decrypt the authorization code", "needs reauth"),
            ("Invalid refresh token", "needs reauth"),
            ("Check the `client_id` parameter", "config"),
            ("Check the `client_secret` parameter", "config"),
            ("Redirect URI is not associated with client", "config"),
            ("Invalid account", "config"),
            ("Something new", "config"),
        ] {
            for status in [400, 401] {
                let body = json!({"hint": hint, "title": "Некорректный запрос", "status": status});
                assert_eq!(meaning(status, &body.to_string()), expected, "{status} {hint}");
            }
        }
        assert_eq!(meaning(401, r#"{"title":"Некорректный клиент","status":401}"#), "config");
    }

    #[test]
    fn without_a_hint_the_status_decides() {
        let page = "<html><h1>nginx</h1></html>";
        for (status, expected) in [
            (400, "config"),
            (403, "blocked"),
            (404, "config"),
            (302, "config"),
            (429, "transient"),
            (500, "transient"),
            (502, "transient"),
            (504, "transient"),
        ] {
            assert_eq!(meaning(status, page), expected, "{status}");
        }
    }
}
