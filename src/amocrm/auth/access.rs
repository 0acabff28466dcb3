//! The access token of the next call: of the token pair, or the long-lived one.

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};

use super::address::Address;
use super::error::{ConsentError, NEW_LONG_LIVED_TOKEN, TokenError};
use super::exchange::fingerprint;
use super::jwt;
use super::oauth::OAuthClient;
use super::pair::{Owner, StoredTokenPair};
use super::tokens::Tokens;
use crate::amocrm::settings::{AmoCrmAuth, AmoCrmSettings, BaseUrl};
use crate::clock::SharedClock;
use crate::db::Db;
use crate::outbound::Outbound;

/// How calls are authorised, and the address that they go to.
pub(crate) struct Auth {
    address: Address,
    source: Source,
    clock: SharedClock,
}

enum Source {
    OAuth(Tokens),
    LongLived { token: SecretString, expires_at: Option<Timestamp> },
}

/// A token to call with.
pub(in crate::amocrm) struct AccessToken {
    pub(in crate::amocrm) token: SecretString,
    pub(in crate::amocrm) expires_at: Option<Timestamp>,
    /// Of the pair; `None` for a long-lived token.
    generation: Option<i64>,
}

impl Auth {
    /// As `settings` say, with the token pair in `db`. Nothing is sent yet.
    pub(in crate::amocrm) fn new(
        settings: &AmoCrmSettings,
        db: &Db,
        outbound: &Outbound,
        clock: &SharedClock,
    ) -> Self {
        let address = Address::new(settings, outbound.clone());
        let timeouts = settings.timeouts;
        let source = match &settings.auth {
            AmoCrmAuth::OAuth(app) => {
                let owner = Owner {
                    client_id: app.client_id.clone(),
                    host: settings.base_url.host().to_owned(),
                    seed: app.first_refresh_token.as_ref().map(fingerprint),
                };
                let (app, address) = (app.clone(), address.clone());
                let (outbound, clock) = (outbound.clone(), clock.clone());
                let oauth = OAuthClient::new(app, address, timeouts.oauth, outbound, clock.clone());
                Source::OAuth(Tokens::new(oauth, db.clone(), clock, owner))
            }
            AmoCrmAuth::LongLived { token } => Source::LongLived {
                expires_at: jwt::expiry(token.expose_secret()),
                token: token.clone(),
            },
        };
        Self { address, source, clock: clock.clone() }
    }

    /// Where calls go.
    pub(in crate::amocrm) fn base_url(&self) -> BaseUrl {
        self.address.current()
    }

    /// A token that can be used now, refreshed where necessary.
    pub(in crate::amocrm) async fn token(&self) -> Result<AccessToken, TokenError> {
        match &self.source {
            Source::OAuth(tokens) => tokens.current().await.map(AccessToken::from),
            Source::LongLived { token, expires_at } => match self.long_lived_error() {
                Some(error) => Err(error),
                None => Ok(AccessToken {
                    token: token.clone(),
                    expires_at: *expires_at,
                    generation: None,
                }),
            },
        }
    }

    /// Another token in place of `refused`, which amoCRM answered with 401 and `reason`.
    pub(in crate::amocrm) async fn token_other_than(
        &self,
        refused: &AccessToken,
        reason: &str,
    ) -> Result<AccessToken, TokenError> {
        match (&self.source, refused.generation) {
            (Source::OAuth(tokens), Some(generation)) => {
                tokens.other_than(generation).await.map(AccessToken::from)
            }
            _ => Err(TokenError::NeedsReauth {
                reason: format!("amoCRM refuses the long-lived token (HTTP 401, {reason})"),
                remedy: NEW_LONG_LIVED_TOKEN,
            }),
        }
    }

    /// Spends the authorization code of a new consent and stores the pair. Returns when its access token expires.
    pub(crate) async fn redeem_code(&self, code: SecretString) -> Result<Timestamp, ConsentError> {
        let Source::OAuth(tokens) = &self.source else {
            let reason = "a long-lived token is configured, which needs no consent".to_owned();
            return Err(TokenError::Config { reason }.into());
        };
        Ok(tokens.redeem_code(code).await?.pair.expires_at)
    }

    /// When the long-lived token expires, where there is one and it says so. Nothing renews it.
    pub(crate) fn long_lived_until(&self) -> Option<Timestamp> {
        match &self.source {
            Source::OAuth(_) => None,
            Source::LongLived { expires_at, .. } => *expires_at,
        }
    }

    /// When each kind of token that there is expires, by what is stored.
    pub(in crate::amocrm) async fn expiries(
        &self,
    ) -> anyhow::Result<Vec<(&'static str, Timestamp)>> {
        match &self.source {
            Source::OAuth(tokens) => tokens.expiries().await,
            Source::LongLived { expires_at, .. } => {
                Ok(expires_at.map(|end| ("long_lived", end)).into_iter().collect())
            }
        }
    }

    /// What is wrong with the tokens, as far as the last attempt showed.
    pub(in crate::amocrm) fn last_error(&self) -> Option<TokenError> {
        match &self.source {
            Source::OAuth(tokens) => tokens.last_error(),
            Source::LongLived { .. } => self.long_lived_error(),
        }
    }

    /// Whether a call can only succeed once a person has acted, by what is stored. amoCRM is not asked.
    pub(in crate::amocrm) async fn needs_consent(&self) -> Result<bool, TokenError> {
        match &self.source {
            Source::OAuth(tokens) => tokens.needs_consent().await,
            Source::LongLived { .. } => Ok(self.long_lived_error().is_some()),
        }
    }

    /// Whether no new token waits to be stored.
    pub(in crate::amocrm) fn is_settled(&self) -> bool {
        match &self.source {
            Source::OAuth(tokens) => tokens.is_settled(),
            Source::LongLived { .. } => true,
        }
    }

    /// Waits until no exchange of tokens is under way, and stores what waits to be stored. To be called before the process
    /// ends.
    pub(crate) async fn wait_for_exchange(&self) {
        if let Source::OAuth(tokens) = &self.source {
            tokens.wait_for_exchange().await;
        }
    }

    fn long_lived_error(&self) -> Option<TokenError> {
        let end = self.long_lived_until().filter(|end| *end <= self.clock.now())?;
        let reason = format!("the long-lived token ended at {end}");
        Some(TokenError::NeedsReauth { reason, remedy: NEW_LONG_LIVED_TOKEN })
    }
}

impl From<StoredTokenPair> for AccessToken {
    fn from(StoredTokenPair { pair, generation, .. }: StoredTokenPair) -> Self {
        Self {
            token: pair.access_token,
            expires_at: Some(pair.expires_at),
            generation: Some(generation),
        }
    }
}
