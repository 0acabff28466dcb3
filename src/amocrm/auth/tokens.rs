//! One token pair for everybody. A refresh token can be spent once, so the exchange is guarded: one at a time, with
//! the store re-read inside, finished even when its caller is gone, and stored before anybody uses the result.

use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use tokio::sync::Mutex;
use tracing::Instrument as _;

use super::error::TokenError;
use super::oauth::{Grant, OAuthClient};
use super::store::{StoredTokenPair, TokenPair, TokenStore};
use crate::clock::SharedClock;

/// A token this close to its end is not given out.
const MARGIN: SignedDuration = SignedDuration::from_secs(60);

/// The token pair of an integration, kept fresh.
pub(in crate::amocrm) struct Tokens<S>(Arc<Inner<S>>);

struct Inner<S> {
    oauth: OAuthClient,
    store: S,
    clock: SharedClock,
    handover: Duration,
    flight: Mutex<Flight>,
    trouble: StdMutex<Option<TokenError>>,
}

/// What only the one that exchanges may touch.
#[derive(Default)]
struct Flight {
    /// A pair that was bought and could not be stored: the only copy of a live refresh token.
    unsaved: Option<(Option<i64>, TokenPair)>,
    /// The last failure, so that a dead token is not presented over and over.
    failure: Option<Remembered>,
}

struct Remembered {
    generation: Option<i64>,
    until: Option<Timestamp>,
    error: TokenError,
}

impl<S: TokenStore> Tokens<S> {
    pub(in crate::amocrm) fn new(
        oauth: OAuthClient,
        store: S,
        clock: SharedClock,
        handover: Duration,
    ) -> Self {
        let (flight, trouble) = (Mutex::default(), StdMutex::default());
        Self(Arc::new(Inner { oauth, store, clock, handover, flight, trouble }))
    }

    /// A pair whose access token can be used now.
    pub(in crate::amocrm) async fn current(&self) -> Result<StoredTokenPair, TokenError> {
        match self.0.load().await? {
            Some(stored) if self.0.is_fresh(&stored.pair) => Ok(stored),
            Some(_) | None => self.detached(|inner| async move { inner.renew(None).await }).await,
        }
    }

    /// A pair other than that of generation `rejected`, whose access token amoCRM has refused.
    pub(in crate::amocrm) async fn other_than(
        &self,
        rejected: i64,
    ) -> Result<StoredTokenPair, TokenError> {
        self.detached(move |inner| async move { inner.renew(Some(rejected)).await }).await
    }

    /// The first pair of a new consent.
    pub(in crate::amocrm) async fn adopt(
        &self,
        code: SecretString,
    ) -> Result<StoredTokenPair, TokenError> {
        self.detached(move |inner| async move { inner.adopt(&code).await }).await
    }

    /// What is wrong with the tokens, as far as the last attempt showed.
    pub(in crate::amocrm) fn trouble(&self) -> Option<TokenError> {
        self.0.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until no exchange is under way: a process that ends within one loses the new pair.
    pub(in crate::amocrm) async fn settle(&self) {
        drop(self.0.flight.lock().await);
    }

    /// Runs in a task of its own: a caller that is dropped must not take a spent token's successor with it.
    async fn detached<F>(
        &self,
        work: impl FnOnce(Arc<Inner<S>>) -> F,
    ) -> Result<StoredTokenPair, TokenError>
    where
        F: Future<Output = Result<StoredTokenPair, TokenError>> + Send + 'static,
    {
        tokio::spawn(work(Arc::clone(&self.0)).in_current_span()).await.unwrap_or_else(|error| {
            Err(TokenError::Ambiguous { reason: format!("the exchange was cut short: {error}") })
        })
    }
}

impl<S> Clone for Tokens<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S: TokenStore> Inner<S> {
    async fn renew(&self, rejected: Option<i64>) -> Result<StoredTokenPair, TokenError> {
        let mut flight = self.flight.lock().await;
        self.save_leftover(&mut flight).await?;
        if let Some(renewed) = self.renewed(rejected).await? {
            return Ok(renewed);
        }
        // Another replica may be at it: wait, and look what it has stored.
        let _replicas = self.store.lock_exchange().await.map_err(|error| store_failed(&error))?;
        if let Some(renewed) = self.renewed(rejected).await? {
            return Ok(renewed);
        }
        let (stored, now) = (self.load().await?, self.clock.now());
        let acceptable = stored.as_ref().filter(|stored| Some(stored.generation) != rejected);
        let generation = stored.as_ref().map(|stored| stored.generation);
        let error = match flight.failure.as_ref().filter(|failure| failure.holds(generation, now)) {
            Some(failure) => failure.error.clone(),
            None => match self.exchange(&mut flight, stored.as_ref()).await {
                Ok(renewed) => {
                    flight.failure = None;
                    self.note(None);
                    return Ok(renewed);
                }
                Err(error) => {
                    tracing::warn!(%error, "the access token was not refreshed");
                    let until = error.quiet_until(now);
                    flight.failure = Some(Remembered { generation, until, error: error.clone() });
                    self.note(Some(error.clone()));
                    error
                }
            },
        };
        // Refreshing early leaves a quarter of the token's life to get over such failures.
        let usable = |stored: &&StoredTokenPair| now + MARGIN < stored.pair.expires_at;
        acceptable.filter(usable).cloned().ok_or(error)
    }

    /// A fresh pair other than the rejected one, which somebody has stored meanwhile.
    async fn renewed(&self, rejected: Option<i64>) -> Result<Option<StoredTokenPair>, TokenError> {
        let stored = self.load().await?;
        Ok(stored
            .filter(|stored| Some(stored.generation) != rejected && self.is_fresh(&stored.pair)))
    }

    async fn exchange(
        &self,
        flight: &mut Flight,
        stored: Option<&StoredTokenPair>,
    ) -> Result<StoredTokenPair, TokenError> {
        let generation = stored.map(|stored| stored.generation);
        let token = match stored {
            Some(stored) => &stored.pair.refresh_token,
            None => self.oauth.first_refresh_token().ok_or(TokenError::NeedsReauth {
                reason: "no token is stored and AMOCRM_REFRESH_TOKEN is not set".to_owned(),
                remedy: FIRST,
            })?,
        };
        let mut bought = match stored {
            Some(stored) => self.oauth.refresh(&stored.pair).await,
            None => self.oauth.exchange(Grant::Refresh(token)).await,
        };
        if let Err(TokenError::Ambiguous { reason: first }) = &bought {
            if let Some(newer) = self.newer_than(generation).await? {
                return Ok(newer);
            }
            let again = self.oauth.exchange(Grant::Refresh(token)).await;
            bought = again.map_err(|error| error.after_unknown_outcome(first));
        }
        match bought {
            Ok(pair) => self.save(flight, generation, pair).await,
            Err(error @ TokenError::NeedsReauth { .. }) => {
                // Spent by another process, perhaps, which is about to store what it got.
                tokio::time::sleep(self.handover).await;
                self.newer_than(generation).await?.ok_or(match generation {
                    Some(_) => error,
                    None => error.with_remedy(FIRST),
                })
            }
            Err(error) => Err(error),
        }
    }

    async fn adopt(&self, code: &SecretString) -> Result<StoredTokenPair, TokenError> {
        let mut flight = self.flight.lock().await;
        let _replicas = self.store.lock_exchange().await.map_err(|error| store_failed(&error))?;
        let pair = self.oauth.exchange(Grant::Code(code)).await?;
        // A pair that waits to be stored is older than this one.
        flight.unsaved = None;
        let generation = self.load().await.ok().flatten().map(|stored| stored.generation);
        let stored = self.save(&mut flight, generation, pair).await?;
        flight.failure = None;
        self.note(None);
        Ok(stored)
    }

    async fn save(
        &self,
        flight: &mut Flight,
        replaces: Option<i64>,
        pair: TokenPair,
    ) -> Result<StoredTokenPair, TokenError> {
        match self.store.replace(replaces, &pair).await {
            Ok(_) => self.load().await?.ok_or_else(|| TokenError::Db {
                reason: "it lost the pair that it has just stored".to_owned(),
            }),
            Err(error) => {
                flight.unsaved = Some((replaces, pair));
                Err(store_failed(&error))
            }
        }
    }

    async fn save_leftover(&self, flight: &mut Flight) -> Result<(), TokenError> {
        match flight.unsaved.take() {
            Some((replaces, pair)) => self.save(flight, replaces, pair).await.map(drop),
            None => Ok(()),
        }
    }

    async fn load(&self) -> Result<Option<StoredTokenPair>, TokenError> {
        self.store.load().await.map_err(|error| store_failed(&error))
    }

    async fn newer_than(&self, known: Option<i64>) -> Result<Option<StoredTokenPair>, TokenError> {
        Ok(self.load().await?.filter(|stored| Some(stored.generation) != known))
    }

    /// Whether less than three quarters of the access token's life have passed.
    fn is_fresh(&self, pair: &TokenPair) -> bool {
        let life = pair.expires_at.duration_since(pair.obtained_at);
        let age = self.clock.now().duration_since(pair.obtained_at);
        age < life / 4 * 3
    }

    fn note(&self, trouble: Option<TokenError>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }
}

impl Remembered {
    fn holds(&self, generation: Option<i64>, now: Timestamp) -> bool {
        self.generation == generation && self.until.is_none_or(|until| now < until)
    }
}

/// What to do while nothing is stored yet.
const FIRST: &str = "Run `prometei-flow amocrm authorize`, or set AMOCRM_REFRESH_TOKEN to a fresh token and \
                     restart; deals wait until then";

fn store_failed(error: &anyhow::Error) -> TokenError {
    TokenError::Db { reason: format!("{error:#}") }
}
