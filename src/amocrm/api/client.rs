use std::sync::Arc;

use functions::ports::{self, AmoCrm, Authorization, Lead};
use http::StatusCode;
use http::header::{ACCEPT, CONTENT_TYPE};
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};

use super::answer::{self as api, ApiError, Status};
use super::call::ApiCall;
use super::gate::{self, Gate};
use super::lead::{self, LeadError};
use crate::amocrm::auth::TokenError;
use crate::amocrm::auth::address::Address;
use crate::amocrm::auth::jwt;
use crate::amocrm::auth::oauth::OAuthClient;
use crate::amocrm::auth::tokens::Tokens;
use crate::amocrm::auth::{StoredTokenPair, TokenStore};
use crate::amocrm::settings::{AmoCrmAuth, AmoCrmSettings};
use crate::clock::SharedClock;
use crate::outbound::{self, Answer, Limits, Outbound};

/// A lead with many custom fields takes some tens of kilobytes.
const LONGEST_ANSWER: usize = 2 * 1024 * 1024;

/// One amoCRM account. Clones share tokens and limits.
pub struct AmoCrmClient<S> {
    settings: Arc<AmoCrmSettings>,
    address: Address,
    auth: Auth<S>,
    store: Arc<S>,
    gate: Arc<Gate>,
    outbound: Outbound,
    clock: SharedClock,
}

enum Auth<S> {
    OAuth(Tokens<Arc<S>>),
    LongLived { token: SecretString, expires_at: Option<Timestamp> },
}

/// A token to call with.
struct Access {
    token: SecretString,
    expires_at: Option<Timestamp>,
    /// Of the pair; `None` for a long-lived token.
    generation: Option<i64>,
}

impl<S: TokenStore> AmoCrmClient<S> {
    /// A client of the account that `settings` describe, with its tokens in `store`. Nothing is sent yet.
    pub fn new(settings: AmoCrmSettings, store: S, outbound: Outbound, clock: SharedClock) -> Self {
        let (address, store) = (Address::new(&settings, outbound.clone()), Arc::new(store));
        let auth = match &settings.auth {
            AmoCrmAuth::OAuth(app) => {
                let timeout = settings.timeouts.oauth;
                let (app, address) = (app.clone(), address.clone());
                let oauth =
                    OAuthClient::new(app, address, timeout, outbound.clone(), Arc::clone(&clock));
                let handover = settings.timeouts.handover;
                let store = Arc::clone(&store);
                Auth::OAuth(Tokens::new(oauth, store, Arc::clone(&clock), handover))
            }
            AmoCrmAuth::LongLived { token } => Auth::LongLived {
                expires_at: jwt::expiry(token.expose_secret()),
                token: token.clone(),
            },
        };
        let (settings, gate) = (Arc::new(settings), Arc::default());
        Self { settings, address, auth, store, gate, outbound, clock }
    }

    /// What the client was made with.
    pub fn settings(&self) -> &AmoCrmSettings {
        &self.settings
    }

    /// Spends the authorization code of a new consent and stores the pair. Returns when the token ends.
    pub async fn adopt_code(&self, code: SecretString) -> Result<Timestamp, TokenError> {
        match &self.auth {
            Auth::OAuth(tokens) => Ok(tokens.adopt(code).await?.pair.expires_at),
            Auth::LongLived { .. } => Err(TokenError::Config {
                reason: "a long-lived token is configured, which needs no consent".to_owned(),
            }),
        }
    }

    /// When the long-lived token ends, where there is one and it says so. Nothing renews it.
    pub fn long_lived_until(&self) -> Option<Timestamp> {
        match &self.auth {
            Auth::OAuth(_) => None,
            Auth::LongLived { expires_at, .. } => *expires_at,
        }
    }

    /// What is wrong with the tokens, as far as the last attempt showed.
    pub fn trouble(&self) -> Option<TokenError> {
        match &self.auth {
            Auth::OAuth(tokens) => tokens.trouble(),
            Auth::LongLived { .. } => self.long_lived().err(),
        }
    }

    /// Waits until no exchange of tokens is under way. To be called before the process ends.
    pub async fn settle(&self) {
        if let Auth::OAuth(tokens) = &self.auth {
            tokens.settle().await;
        }
    }

    async fn read_lead(&self, lead_id: u64) -> Result<Option<Lead>, ApiError> {
        let path = format!("/api/v4/leads/{lead_id}");
        let answer = self.send(&ApiCall::get(&path)).await?;
        // amoCRM's way of saying "no such lead, or none that you may see".
        if answer.status == StatusCode::NO_CONTENT {
            return Ok(None);
        }
        if !answer.complete {
            return Err(ApiError::Unreadable("it broke off or is too long".to_owned()));
        }
        lead::read(&answer.body, lead_id, self.settings.account_id)
    }

    /// Makes `call`. A token that amoCRM refuses is replaced once.
    pub(crate) async fn send(&self, call: &ApiCall<'_>) -> Result<Answer, ApiError> {
        let access = self.access().await?;
        let refusal = match self.call(call, &access).await? {
            Ok(answer) => return Ok(answer),
            Err(refusal) => refusal,
        };
        let access = match (&self.auth, access.generation) {
            (Auth::OAuth(tokens), Some(generation)) => {
                Access::from(tokens.other_than(generation).await?)
            }
            _ => {
                let reason = format!("amoCRM refuses the long-lived token (HTTP 401, {refusal})");
                return Err(TokenError::NeedsReauth { reason, remedy: NEW_TOKEN }.into());
            }
        };
        self.call(call, &access).await?.map_err(ApiError::Unauthorized)
    }

    /// amoCRM counts the calls of all replicas together.
    async fn wait_for_other_replicas(&self) -> Result<(), ApiError> {
        let turn = self.store.next_turn(gate::SPACING).await;
        let wait = turn.map_err(|error| TokenError::Db { reason: format!("{error:#}") })?;
        if wait > gate::LONGEST_WAIT {
            let reason = "the replicas together have as many calls waiting as amoCRM allows";
            return Err(ApiError::Paused { reason: reason.to_owned(), wait });
        }
        tokio::time::sleep(wait).await;
        Ok(())
    }

    /// One call. The inner error is a 401, in amoCRM's words.
    async fn call(
        &self,
        call: &ApiCall<'_>,
        access: &Access,
    ) -> Result<Result<Answer, String>, ApiError> {
        let entered = self.gate.enter(self.clock.now()).await;
        entered.map_err(|closed| ApiError::Paused {
            wait: closed.remaining(self.clock.now()),
            reason: closed.reason,
        })?;
        self.wait_for_other_replicas().await?;
        let mut request = self
            .outbound
            .request(call.method.clone(), call.url(&self.address.current()))
            .map_err(|error| ApiError::unanswered(&error))?
            .bearer_auth(access.token.expose_secret())
            .header(ACCEPT, "application/hal+json, application/json");
        if let Some(body) = &call.body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.to_string());
        }
        let limits = Limits { timeout: self.settings.timeouts.api, body: LONGEST_ANSWER };
        let answer =
            outbound::send(request, limits).await.map_err(|error| ApiError::unanswered(&error))?;

        let now = self.clock.now();
        match api::status(&answer, call, &access.token) {
            Status::Fine => {
                self.gate.passed();
                Ok(Ok(answer))
            }
            Status::Unauthorized(said) => Ok(Err(said)),
            Status::TooMany => {
                let asked = outbound::retry_after(&answer.headers, now);
                let wait = self.gate.too_many(now, asked);
                let reason = "amoCRM asked us to slow down (HTTP 429)".to_owned();
                Err(ApiError::Paused { reason, wait })
            }
            Status::Closed(reason, wait) => {
                self.gate.close(now, wait, reason.clone());
                Err(ApiError::Paused { reason, wait })
            }
            Status::Failed(error) => Err(error),
        }
    }

    async fn access(&self) -> Result<Access, TokenError> {
        match &self.auth {
            Auth::OAuth(tokens) => tokens.current().await.map(Access::from),
            Auth::LongLived { .. } => self.long_lived(),
        }
    }

    fn long_lived(&self) -> Result<Access, TokenError> {
        let Auth::LongLived { token, expires_at } = &self.auth else {
            return Err(TokenError::Config { reason: "no long-lived token".to_owned() });
        };
        match expires_at {
            Some(end) if *end <= self.clock.now() => Err(TokenError::NeedsReauth {
                reason: format!("the long-lived token ended at {end}"),
                remedy: NEW_TOKEN,
            }),
            _ => Ok(Access { token: token.clone(), expires_at: *expires_at, generation: None }),
        }
    }
}

/// What to do about a dead long-lived token.
const NEW_TOKEN: &str = "Create a new one in amoCRM (the integration's \"Keys\" tab) and set AMOCRM_ACCESS_TOKEN; \
                         deals wait until then";

impl From<StoredTokenPair> for Access {
    fn from(StoredTokenPair { pair, generation }: StoredTokenPair) -> Self {
        Self {
            token: pair.access_token,
            expires_at: Some(pair.expires_at),
            generation: Some(generation),
        }
    }
}

impl<S: TokenStore> AmoCrm for AmoCrmClient<S> {
    async fn authorize(&self) -> ports::Result<Authorization> {
        let access = self.access().await?;
        Ok(Authorization { expires_at: access.expires_at.map(|end| format!("{end:.3}")) })
    }

    async fn lead(&self, lead_id: u64) -> ports::Result<Option<Lead>> {
        let lead = self.read_lead(lead_id).await;
        Ok(lead.map_err(|source| LeadError { lead_id, source })?)
    }
}

impl<S> Clone for AmoCrmClient<S> {
    fn clone(&self) -> Self {
        Self {
            settings: Arc::clone(&self.settings),
            address: self.address.clone(),
            auth: match &self.auth {
                Auth::OAuth(tokens) => Auth::OAuth(tokens.clone()),
                Auth::LongLived { token, expires_at } => {
                    Auth::LongLived { token: token.clone(), expires_at: *expires_at }
                }
            },
            store: Arc::clone(&self.store),
            gate: Arc::clone(&self.gate),
            outbound: self.outbound.clone(),
            clock: Arc::clone(&self.clock),
        }
    }
}

impl<S> std::fmt::Debug for AmoCrmClient<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AmoCrmClient").field("settings", &self.settings).finish_non_exhaustive()
    }
}
