//! What is looked after while nothing happens: tokens stay alive, and somebody notices when amoCRM stops calling.

use std::time::Duration;

use functions::ports::AmoCrm as _;
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::amocrm::hook::{self, Destination, Subscription};
use crate::amocrm::{AmoCrmClient, TokenError, TokenStore};
use crate::clock::SharedClock;
use crate::metrics::Metrics;

/// When to look.
#[derive(Debug, Clone, Copy)]
pub struct CarePace {
    /// The first time, after the start.
    pub first: Duration,
    /// Between two looks.
    pub every: Duration,
}

impl Default for CarePace {
    fn default() -> Self {
        Self { first: Duration::from_secs(60), every: Duration::from_secs(10 * 60) }
    }
}

/// A refresh token that lies idle for three months is dead, so once a week one is used.
const KEEP_ALIVE: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Days before the end of a long-lived token at which a person is told.
const WARNINGS: [i64; 3] = [1, 7, 30];

/// Looks after the connection with amoCRM.
pub struct Caretaker<S> {
    client: AmoCrmClient<S>,
    destination: Option<Destination>,
    clock: SharedClock,
    metrics: Metrics,
    kept_alive_at: Option<Timestamp>,
    warned_of: Option<i64>,
    last_seen: Option<String>,
}

impl<S: TokenStore> Caretaker<S> {
    /// Looks after `client`; with a `destination`, also after amoCRM's webhook for it.
    pub fn new(
        client: AmoCrmClient<S>,
        destination: Option<Destination>,
        clock: SharedClock,
        metrics: Metrics,
    ) -> Self {
        let (kept_alive_at, warned_of, last_seen) = (None, None, None);
        Self { client, destination, clock, metrics, kept_alive_at, warned_of, last_seen }
    }

    /// Looks again and again, until `stop`.
    pub async fn run(mut self, pace: CarePace, stop: CancellationToken) {
        let mut wait = pace.first;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.look() => {}
            }
            wait = pace.every;
        }
    }

    /// Looks once.
    pub async fn look(&mut self) {
        self.keep_alive().await;
        self.look_at_long_lived_token();
        self.look_at_subscription().await;
        let trouble = self.client.trouble();
        let needed = matches!(trouble, Some(TokenError::NeedsReauth { .. }));
        self.metrics.amocrm_needs_reauth(needed);
        if let Some(trouble) = trouble {
            tracing::error!(%trouble, "amoCRM's tokens are in trouble");
        }
    }

    async fn keep_alive(&mut self) {
        let now = self.clock.now();
        if self.kept_alive_at.is_some_and(|then| now.duration_since(then) < KEEP_ALIVE) {
            return;
        }
        // A token that is still fresh is left alone; the weekly one never is.
        if self.client.authorize().await.is_ok() {
            self.kept_alive_at = Some(now);
        }
    }

    fn look_at_long_lived_token(&mut self) {
        let Some(end) = self.client.long_lived_until() else { return };
        let days = end.duration_since(self.clock.now()).as_hours().div_euclid(24);
        self.metrics.amocrm_token_days(days.max(0));
        let due = WARNINGS.into_iter().find(|limit| days < *limit);
        if due != self.warned_of {
            self.warned_of = due;
            if due.is_some() {
                tracing::warn!(days, %end, "{}", token_ends(end, days));
            }
        }
    }

    async fn look_at_subscription(&mut self) {
        let Some(destination) = &self.destination else { return };
        let found = hook::check(&self.client, destination).await;
        self.metrics.amocrm_subscription(found.as_ref().ok().map(Subscription::is_good));
        let seen = match &found {
            Ok(found) => found.to_string(),
            Err(error) => format!("amoCRM's webhooks cannot be looked at: {error}"),
        };
        // Once, and again when it changes: a log that repeats itself is not read.
        if self.last_seen.as_ref() != Some(&seen) {
            match found {
                Ok(found) if found.is_good() => tracing::info!("{seen}"),
                Ok(_) => tracing::error!("{seen}; run `prometei-flow amocrm subscribe`"),
                Err(_) => tracing::warn!("{seen}"),
            }
            self.last_seen = Some(seen);
        }
    }
}

/// What a person should know of a long-lived token that ends in `days`.
pub fn token_ends(end: Timestamp, days: i64) -> String {
    format!(
        "the long-lived token ends at {end:.0}, in {} days: create a new one in the integration's \"Keys\" tab, set \
         AMOCRM_ACCESS_TOKEN and restart",
        days.max(0)
    )
}
