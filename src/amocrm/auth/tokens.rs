//! One token pair for all callers. A refresh token can be spent once, so the exchange is guarded: one at a time, with
//! the table read again inside, finished even when its caller is gone, and stored before the result is used.

use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use tokio::sync::Mutex;
use tracing::Instrument as _;

use super::error::{AUTHORISE_FIRST, TokenError};
use super::oauth::{Grant, OAuthClient};
use super::pair::{StoredTokenPair, TokenPair};
use super::table::{self, Replaces};
use crate::clock::SharedClock;
use crate::db::Db;

/// A token this close to its end is not used.
const MARGIN: SignedDuration = SignedDuration::from_secs(60);

/// The token pair of an integration, kept fresh. Clones share it.
#[derive(Clone)]
pub(super) struct Tokens(Arc<Inner>);

struct Inner {
    oauth: OAuthClient,
    db: Db,
    clock: SharedClock,
    handover: Duration,
    exchange: Mutex<ExchangeState>,
    last_error: StdMutex<Option<TokenError>>,
}

/// What only the holder of the exchange's lock may touch.
#[derive(Default)]
struct ExchangeState {
    /// A new pair that could not be stored, and what it replaces: the only copy of a live refresh token.
    unsaved: Option<(Replaces, TokenPair)>,
    /// The last failure, so that a dead token is not presented over and over.
    failure: Option<Failure>,
}

struct Failure {
    generation: Option<i64>,
    until: Option<Timestamp>,
    error: TokenError,
}

impl Tokens {
    pub(super) fn new(oauth: OAuthClient, db: Db, clock: SharedClock, handover: Duration) -> Self {
        let (exchange, last_error) = (Mutex::default(), StdMutex::default());
        Self(Arc::new(Inner { oauth, db, clock, handover, exchange, last_error }))
    }

    /// A pair whose access token can be used now.
    pub(super) async fn current(&self) -> Result<StoredTokenPair, TokenError> {
        match self.0.load().await? {
            Some(stored) if self.0.is_fresh(&stored.pair) => {
                // Another process may have ended what this one could not.
                self.0.set_last_error(None);
                Ok(stored)
            }
            Some(_) | None => self.detached(|inner| async move { inner.renew(None).await }).await,
        }
    }

    /// A pair other than that of generation `refused`, whose access token amoCRM has refused.
    pub(super) async fn other_than(&self, refused: i64) -> Result<StoredTokenPair, TokenError> {
        self.detached(move |inner| async move { inner.renew(Some(refused)).await }).await
    }

    /// The first pair of a new consent.
    pub(super) async fn redeem_code(
        &self,
        code: SecretString,
    ) -> Result<StoredTokenPair, TokenError> {
        self.detached(move |inner| async move { inner.redeem_code(&code).await }).await
    }

    /// Why the last exchange failed; `None` once there is a fresh pair.
    pub(super) fn last_error(&self) -> Option<TokenError> {
        self.0.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until no exchange is under way: a process that ends within one loses the new pair.
    pub(super) async fn wait_for_exchange(&self) {
        drop(self.0.exchange.lock().await);
    }

    /// Runs in a task of its own: a caller that is dropped must not take a spent token's successor with it.
    async fn detached<F>(
        &self,
        work: impl FnOnce(Arc<Inner>) -> F,
    ) -> Result<StoredTokenPair, TokenError>
    where
        F: Future<Output = Result<StoredTokenPair, TokenError>> + Send + 'static,
    {
        tokio::spawn(work(Arc::clone(&self.0)).in_current_span()).await.unwrap_or_else(|error| {
            Err(TokenError::OutcomeUnknown {
                reason: format!("the exchange was cut short: {error}"),
            })
        })
    }
}

impl Inner {
    async fn renew(&self, refused: Option<i64>) -> Result<StoredTokenPair, TokenError> {
        let mut exchange = self.exchange.lock().await;
        self.save_unsaved(&mut exchange).await?;
        // Another caller or replica may have renewed the pair while this one waited.
        let _replicas = self.lock_replicas().await?;
        let (stored, now) = (self.load().await?, self.clock.now());
        let acceptable = stored.as_ref().filter(|stored| Some(stored.generation) != refused);
        if let Some(fresh) = acceptable.filter(|stored| self.is_fresh(&stored.pair)) {
            self.set_last_error(None);
            return Ok(fresh.clone());
        }
        let generation = stored.as_ref().map(|stored| stored.generation);
        let failure = exchange.failure.as_ref().filter(|failure| failure.holds(generation, now));
        let error = match failure {
            Some(failure) => failure.error.clone(),
            None => match self.exchange(&mut exchange, stored.as_ref()).await {
                Ok(renewed) => {
                    exchange.failure = None;
                    self.set_last_error(None);
                    return Ok(renewed);
                }
                Err(error) => {
                    tracing::warn!(%error, "the access token was not refreshed");
                    let until = error.backs_off_until(now);
                    exchange.failure = Some(Failure { generation, until, error: error.clone() });
                    self.set_last_error(Some(error.clone()));
                    error
                }
            },
        };
        // Refreshing early leaves a quarter of the token's life to get over such failures.
        let usable = |stored: &&StoredTokenPair| now + MARGIN < stored.pair.expires_at;
        acceptable.filter(usable).cloned().ok_or(error)
    }

    async fn exchange(
        &self,
        exchange: &mut ExchangeState,
        stored: Option<&StoredTokenPair>,
    ) -> Result<StoredTokenPair, TokenError> {
        let generation = stored.map(|stored| stored.generation);
        let token = match stored {
            Some(stored) => &stored.pair.refresh_token,
            None => self.oauth.first_refresh_token().ok_or(TokenError::NeedsReauth {
                reason: "no token is stored and AMOCRM_REFRESH_TOKEN is not set".to_owned(),
                remedy: AUTHORISE_FIRST,
            })?,
        };
        let mut issued = match stored {
            Some(stored) => self.oauth.refresh(&stored.pair).await,
            None => self.oauth.exchange(Grant::Refresh(token)).await,
        };
        if let Err(TokenError::OutcomeUnknown { reason: first }) = &issued {
            if let Some(newer) = self.newer_than(generation).await? {
                return Ok(newer);
            }
            let again = self.oauth.exchange(Grant::Refresh(token)).await;
            issued = again.map_err(|error| error.after_unknown_outcome(first));
        }
        match issued {
            Ok(pair) => {
                let replaces = generation.map_or(Replaces::Nothing, Replaces::Generation);
                self.save(exchange, replaces, pair).await
            }
            Err(error @ TokenError::NeedsReauth { .. }) => {
                // Spent by another process, perhaps, which is about to store its new pair.
                tokio::time::sleep(self.handover).await;
                self.newer_than(generation).await?.ok_or(match generation {
                    Some(_) => error,
                    None => error.with_remedy(AUTHORISE_FIRST),
                })
            }
            Err(error) => Err(error),
        }
    }

    async fn redeem_code(&self, code: &SecretString) -> Result<StoredTokenPair, TokenError> {
        let mut exchange = self.exchange.lock().await;
        let _replicas = self.lock_replicas().await?;
        let pair = self.oauth.exchange(Grant::Code(code)).await?;
        // A pair that waits to be stored is older than this one.
        exchange.unsaved = None;
        let stored = self.save(&mut exchange, Replaces::Any, pair).await?;
        exchange.failure = None;
        self.set_last_error(None);
        Ok(stored)
    }

    async fn save(
        &self,
        exchange: &mut ExchangeState,
        replaces: Replaces,
        pair: TokenPair,
    ) -> Result<StoredTokenPair, TokenError> {
        match table::replace(&self.db, replaces, &pair).await {
            Ok(_) => self.load().await?.ok_or_else(|| TokenError::Database {
                reason: "the pair that was just stored is gone".to_owned(),
            }),
            Err(error) => {
                exchange.unsaved = Some((replaces, pair));
                Err(database_failed(&error))
            }
        }
    }

    async fn save_unsaved(&self, exchange: &mut ExchangeState) -> Result<(), TokenError> {
        match exchange.unsaved.take() {
            Some((replaces, pair)) => self.save(exchange, replaces, pair).await.map(drop),
            None => Ok(()),
        }
    }

    async fn load(&self) -> Result<Option<StoredTokenPair>, TokenError> {
        table::load(&self.db).await.map_err(|error| database_failed(&error))
    }

    async fn lock_replicas(&self) -> Result<impl Send + use<>, TokenError> {
        table::lock_exchange(&self.db).await.map_err(|error| database_failed(&error))
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

    fn set_last_error(&self, error: Option<TokenError>) {
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = error;
    }
}

impl Failure {
    fn holds(&self, generation: Option<i64>, now: Timestamp) -> bool {
        self.generation == generation && self.until.is_none_or(|until| now < until)
    }
}

fn database_failed(error: &anyhow::Error) -> TokenError {
    TokenError::Database { reason: format!("{error:#}") }
}
