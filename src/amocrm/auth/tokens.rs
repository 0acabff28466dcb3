//! One token pair for all callers. A refresh token can be spent once, so the exchange is guarded: one at a time over all
//! processes, with the table read again inside, and finished even when its caller is gone.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex as StdMutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use tokio::sync::Mutex;
use tracing::Instrument as _;

use super::error::{AUTHORISE_FIRST, ConsentError, TokenError};
use super::exchange::{Exchange, Offer, database_failed, load};
use super::lock::lock_exchange;
use super::oauth::OAuthClient;
use super::pair::{Owner, StoredTokenPair, TokenPair};
use super::table::{self, Replaces};
use crate::clock::SharedClock;
use crate::db::Db;

/// A token this close to its end is not used.
const MARGIN: SignedDuration = SignedDuration::from_secs(60);

/// How long amoCRM takes a refresh token that was never spent: three months, and no month is shorter in sum.
const REFRESH_TOKEN: SignedDuration = SignedDuration::from_hours(89 * 24);

/// The token pair of an integration, kept fresh. Clones share it.
#[derive(Clone)]
pub(super) struct Tokens(Arc<Inner>);

struct Inner {
    db: Db,
    clock: SharedClock,
    owner: Owner,
    exchange: Mutex<Exchange>,
    /// Whether a stored pair can be used without a look at what waits in memory and in the configuration.
    settled: AtomicBool,
    last_error: StdMutex<Option<TokenError>>,
}

impl Tokens {
    pub(super) fn new(oauth: OAuthClient, db: Db, clock: SharedClock, owner: Owner) -> Self {
        let exchange = Exchange::new(oauth, db.clone(), clock.clone(), owner.clone());
        let (exchange, settled, last_error) =
            (Mutex::new(exchange), AtomicBool::default(), StdMutex::default());
        Self(Arc::new(Inner { db, clock, owner, exchange, settled, last_error }))
    }

    /// A pair whose access token can be used now.
    pub(super) async fn current(&self) -> Result<StoredTokenPair, TokenError> {
        if self.is_settled()
            && let Some(stored) = load(&self.0.db).await?
            && stored.is_of(&self.0.owner)
            && self.0.is_fresh(&stored.pair)
        {
            // Another process may have ended what this one could not.
            self.0.set_last_error(stored.is_last());
            return Ok(stored);
        }
        self.detached(|inner| async move { inner.renew(None).await }).await
    }

    /// A pair other than that of generation `refused`, whose access token amoCRM has refused.
    pub(super) async fn other_than(&self, refused: i64) -> Result<StoredTokenPair, TokenError> {
        self.detached(move |inner| async move { inner.renew(Some(refused)).await }).await
    }

    /// The first pair of a new consent.
    pub(super) async fn redeem_code(
        &self,
        code: SecretString,
    ) -> Result<StoredTokenPair, ConsentError> {
        self.detached(move |inner| async move { inner.redeem_code(&code).await }).await
    }

    /// When the tokens of the pair expire that is stored.
    pub(super) async fn expiries(&self) -> anyhow::Result<Vec<(&'static str, Timestamp)>> {
        let times = table::times(&self.0.db).await?;
        Ok(times.map_or_else(Vec::new, |(obtained, expires)| {
            vec![("access", expires), ("refresh", obtained + REFRESH_TOKEN)]
        }))
    }

    /// Whether only a person can bring new tokens, by what is stored. amoCRM is not asked.
    pub(super) async fn needs_consent(&self) -> Result<bool, TokenError> {
        let stored = load(&self.0.db).await?;
        if self.0.has_unused_seed(stored.as_ref()).await? {
            return Ok(false);
        }
        let Some(stored) = stored else { return Ok(true) };
        let other = stored.owner.as_ref().is_some_and(|(id, _)| *id != self.0.owner.client_id);
        let ends = stored.refused.is_some() || !self.0.is_usable(&stored.pair);
        Ok(other || (ends && stored.is_last().is_some()))
    }

    /// Whether no new pair waits in memory, and the configuration was looked at.
    pub(super) fn is_settled(&self) -> bool {
        self.0.settled.load(Ordering::Acquire)
    }

    /// Why the last exchange failed; `None` once there is a fresh pair.
    pub(super) fn last_error(&self) -> Option<TokenError> {
        self.0.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until no exchange is under way, and stores what waits for it: the end of the process would lose it.
    pub(super) async fn wait_for_exchange(&self) {
        if let Err(error) = self.0.exchange.lock().await.save_unsaved().await {
            tracing::error!(%error, "new tokens are lost with this process: amoCRM needs a new consent");
        }
    }

    /// Runs in a task of its own: a caller that is dropped must not take a spent token's successor with it.
    async fn detached<E, F>(&self, work: impl FnOnce(Arc<Inner>) -> F) -> Result<StoredTokenPair, E>
    where
        E: From<TokenError> + Send + 'static,
        F: Future<Output = Result<StoredTokenPair, E>> + Send + 'static,
    {
        tokio::spawn(work(Arc::clone(&self.0)).in_current_span()).await.unwrap_or_else(|error| {
            let reason = format!("the exchange was cut short: {error}");
            Err(TokenError::OutcomeUnknown { reason, answered: false }.into())
        })
    }
}

impl Inner {
    async fn renew(&self, refused: Option<i64>) -> Result<StoredTokenPair, TokenError> {
        let mut exchange = self.exchange.lock().await;
        let renewed = self.renew_with(&mut exchange, refused).await;
        self.settled.store(renewed.is_ok() && !exchange.has_unsaved(), Ordering::Release);
        renewed
    }

    async fn renew_with(
        &self,
        exchange: &mut Exchange,
        refused: Option<i64>,
    ) -> Result<StoredTokenPair, TokenError> {
        // Another caller or process may have renewed the pair while this one waited, so it is read inside.
        let _processes = lock_exchange(&self.db).await?;
        exchange.save_unsaved().await?;
        let stored = load(&self.db).await?;
        if let Some(seed) = exchange.oauth.seed().cloned()
            && self.has_unused_seed(stored.as_ref()).await?
        {
            match (exchange.offer(Offer::Seed(&seed, stored.as_ref())).await, &stored) {
                (Ok(renewed), stored) => {
                    if stored.is_some() {
                        tracing::warn!(
                            "the new AMOCRM_REFRESH_TOKEN is used in place of the stored tokens"
                        );
                    }
                    return Ok(self.found(renewed));
                }
                (Err(_), Some(stored)) if stored.is_of(&self.owner) => {
                    tracing::warn!(
                        "the new AMOCRM_REFRESH_TOKEN could not be used; the stored tokens are"
                    );
                }
                (Err(error), _) => return Err(self.failed(error.with_remedy(AUTHORISE_FIRST))),
            }
        }
        let Some(stored) = stored else {
            let reason = match exchange.oauth.seed() {
                Some(_) => "no token is stored, and AMOCRM_REFRESH_TOKEN is spent or was refused",
                None => "no token is stored and AMOCRM_REFRESH_TOKEN is not set",
            };
            let (reason, remedy) = (reason.to_owned(), AUTHORISE_FIRST);
            return Err(self.failed(TokenError::NeedsReauth { reason, remedy }));
        };
        exchange.check_owner(&stored).await.map_err(|error| self.failed(error))?;

        let accepted = Some(stored.generation) != refused;
        if accepted && self.is_fresh(&stored.pair) {
            return Ok(self.found(stored));
        }
        match exchange.offer(Offer::Stored(&stored)).await {
            Ok(renewed) => Ok(self.found(renewed)),
            Err(error) => {
                let error = self.failed(error);
                // Refreshing early leaves a quarter of the token's life to get over such failures.
                if accepted && self.is_usable(&stored.pair) { Ok(stored) } else { Err(error) }
            }
        }
    }

    async fn redeem_code(&self, code: &SecretString) -> Result<StoredTokenPair, ConsentError> {
        let mut exchange = self.exchange.lock().await;
        let _processes = lock_exchange(&self.db).await?;
        let pair = exchange.redeem(code).await?;
        let stored = exchange.save(Replaces::Any, pair).await;
        self.settled.store(stored.is_ok(), Ordering::Release);
        match stored {
            Ok(stored) => Ok(self.found(stored)),
            Err(error) => {
                let reason = self.failed(error).reason();
                Err(ConsentError::NotStored { reason })
            }
        }
    }

    /// Whether `AMOCRM_REFRESH_TOKEN` is newer than the stored pair.
    async fn has_unused_seed(&self, stored: Option<&StoredTokenPair>) -> Result<bool, TokenError> {
        if stored.is_some_and(|stored| stored.owner.is_none()) {
            // Stored before such tokens were noted: this is the one that it grew out of, most likely.
            return Ok(false);
        }
        let unused = table::has_unused_seed(&self.db, &self.owner).await;
        unused.map_err(|error| database_failed(&error))
    }

    /// Whether less than three quarters of the access token's life have passed.
    fn is_fresh(&self, pair: &TokenPair) -> bool {
        let life = pair.expires_at.duration_since(pair.obtained_at);
        let age = self.clock.now().duration_since(pair.obtained_at);
        age < life / 4 * 3
    }

    /// Whether its access token can be used.
    fn is_usable(&self, pair: &TokenPair) -> bool {
        self.clock.now() + MARGIN < pair.expires_at
    }

    fn found(&self, stored: StoredTokenPair) -> StoredTokenPair {
        self.set_last_error(stored.is_last());
        stored
    }

    fn failed(&self, error: TokenError) -> TokenError {
        self.set_last_error(Some(error.clone()));
        error
    }

    fn set_last_error(&self, error: Option<TokenError>) {
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = error;
    }
}
