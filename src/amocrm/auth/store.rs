use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use secrecy::SecretString;

/// An OAuth token pair. A refresh token can be spent once; losing the newest pair means asking a human.
#[derive(Debug, Clone)]
pub struct TokenPair {
    /// The bearer token of API calls.
    pub access_token: SecretString,
    /// Buys the next pair, once.
    pub refresh_token: SecretString,
    /// When this pair was received.
    pub obtained_at: Timestamp,
    /// When the access token ends.
    pub expires_at: Timestamp,
}

/// A token pair as stored, with the generation that guards its replacement.
#[derive(Debug, Clone)]
pub struct StoredTokenPair {
    /// The pair.
    pub pair: TokenPair,
    /// Counts the pairs this service has stored; 1 for the first.
    pub generation: i64,
}

/// The right to exchange a token, until it is dropped.
#[derive(Default)]
pub struct ExchangeLock {
    _held: Option<Box<dyn Send>>,
}

impl ExchangeLock {
    /// A right that ends when `held` is dropped.
    pub fn new(held: impl Send + 'static) -> Self {
        Self { _held: Some(Box::new(held)) }
    }
}

/// Where the newest token pair lives, durably.
pub trait TokenStore: Send + Sync + 'static {
    /// The newest pair, if one was ever stored.
    fn load(&self) -> impl Future<Output = anyhow::Result<Option<StoredTokenPair>>> + Send;

    /// Waits until nobody else on this database exchanges a token, and keeps it so until the result is dropped.
    ///
    /// A store that only one process uses need not do anything.
    fn lock_exchange(&self) -> impl Future<Output = anyhow::Result<ExchangeLock>> + Send {
        std::future::ready(Ok(ExchangeLock::default()))
    }

    /// Takes the next turn to call amoCRM among all who share this database, `spacing` after the one before, and
    /// returns how long it is until then.
    ///
    /// A store that only one process uses need not do anything: each process keeps a pace of its own too.
    fn next_turn(
        &self,
        spacing: Duration,
    ) -> impl Future<Output = anyhow::Result<Duration>> + Send {
        let _ = spacing;
        std::future::ready(Ok(Duration::ZERO))
    }

    /// Stores `pair` durably as the successor of `replaces` (`None`: of nothing).
    ///
    /// Returns whether it was stored; `false` means that another pair was stored since, and the caller must
    /// load that one instead.
    fn replace(
        &self,
        replaces: Option<i64>,
        pair: &TokenPair,
    ) -> impl Future<Output = anyhow::Result<bool>> + Send;
}

impl<S: TokenStore> TokenStore for Arc<S> {
    async fn load(&self) -> anyhow::Result<Option<StoredTokenPair>> {
        S::load(self).await
    }

    async fn lock_exchange(&self) -> anyhow::Result<ExchangeLock> {
        S::lock_exchange(self).await
    }

    async fn next_turn(&self, spacing: Duration) -> anyhow::Result<Duration> {
        S::next_turn(self, spacing).await
    }

    async fn replace(&self, replaces: Option<i64>, pair: &TokenPair) -> anyhow::Result<bool> {
        S::replace(self, replaces, pair).await
    }
}
