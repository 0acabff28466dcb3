//! The health check of the connection with amoCRM: tokens stay alive, and a log line says when amoCRM stops calling.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use super::api::AmoCrmClient;
use super::auth::TokenError;
use super::hook::{self, Destination, Subscription};
use crate::clock::SharedClock;
use crate::heartbeat::Heartbeat;
use crate::metrics::Metrics;

/// From the start of the service to the first check.
const FIRST: Duration = Duration::from_secs(60);

/// From one check to the next.
const INTERVAL: Duration = Duration::from_secs(10 * 60);

/// A refresh token that is not used for three months expires, so one is used every week.
const KEEP_ALIVE: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Days before the end of a long-lived token at which a warning is logged.
const WARNINGS: [i64; 3] = [1, 7, 30];

/// Checks the connection with amoCRM at regular intervals, and shows what it finds in the log and the metrics.
pub(crate) struct HealthCheck {
    client: AmoCrmClient,
    destination: Option<Destination>,
    clock: SharedClock,
    metrics: Metrics,
    kept_alive_at: Option<Timestamp>,
    warned_at_days: Option<i64>,
    last_logged: Option<String>,
}

impl HealthCheck {
    /// Checks `client`'s tokens; with a `destination`, also amoCRM's webhook for it.
    pub(crate) fn new(
        client: AmoCrmClient,
        destination: Option<Destination>,
        clock: SharedClock,
        metrics: Metrics,
    ) -> Self {
        let (kept_alive_at, warned_at_days, last_logged) = (None, None, None);
        Self { client, destination, clock, metrics, kept_alive_at, warned_at_days, last_logged }
    }

    /// Checks at every interval, until `stop`.
    pub(crate) async fn run(mut self, heartbeat: Heartbeat, stop: CancellationToken) {
        let checks = async {
            tokio::time::sleep(FIRST).await;
            loop {
                self.check().await;
                heartbeat.beat(INTERVAL);
                tokio::time::sleep(INTERVAL).await;
            }
        };
        let _: Option<()> = stop.run_until_cancelled(checks).await;
    }

    /// Checks once.
    pub(super) async fn check(&mut self) {
        self.keep_alive().await;
        self.check_long_lived_token();
        self.check_webhook().await;
        let error = self.client.auth().last_error();
        let dead =
            matches!(error, Some(TokenError::NeedsReauth { .. } | TokenError::Foreign { .. }));
        let needs_consent = dead || self.client.auth().needs_consent().await.unwrap_or(false);
        self.metrics.amocrm_needs_reauth(needs_consent);
        if let Some(error) = error {
            tracing::error!(%error, "there is no valid access token for amoCRM");
        }
    }

    async fn keep_alive(&mut self) {
        let now = self.clock.now();
        // A time that lies ahead is of a clock that was set back since.
        let recent = |then: Timestamp| then <= now && now.duration_since(then) < KEEP_ALIVE;
        if self.client.auth().is_settled() && self.kept_alive_at.is_some_and(recent) {
            return;
        }
        // A token that is still fresh is not refreshed; after a week none is. A new one that could not be stored is.
        if self.client.authorize().await.is_ok() {
            self.kept_alive_at = Some(now);
        }
    }

    fn check_long_lived_token(&mut self) {
        let Some(end) = self.client.auth().long_lived_until() else { return };
        let days = end.duration_since(self.clock.now()).as_hours().div_euclid(24);
        let due = WARNINGS.into_iter().find(|limit| days < *limit);
        if due != self.warned_at_days {
            self.warned_at_days = due;
            if due.is_some() {
                tracing::warn!(days, %end, "{}", token_ends(end, days));
            }
        }
    }

    async fn check_webhook(&mut self) {
        let Some(destination) = &self.destination else { return };
        let found = hook::check(&self.client, destination).await;
        self.metrics.amocrm_subscription(found.as_ref().ok().map(Subscription::is_good));
        let message = match &found {
            Ok(found) => found.to_string(),
            Err(error) => format!("amoCRM's webhooks cannot be checked: {error}"),
        };
        // Once, and again when it changes: a log that repeats itself is not read.
        if self.last_logged.as_ref() != Some(&message) {
            match found {
                Ok(found) if found.is_good() => tracing::info!("{message}"),
                Ok(_) => tracing::error!("{message}; run `prometei-flow amocrm subscribe`"),
                Err(_) => tracing::warn!("{message}"),
            }
            self.last_logged = Some(message);
        }
    }
}

/// What to do about a long-lived token that ends in `days`.
pub(crate) fn token_ends(end: Timestamp, days: i64) -> String {
    format!(
        "the long-lived token ends at {end:.0}, in {} days: create a new one in the integration's \"Keys\" tab, set \
         AMOCRM_ACCESS_TOKEN and restart",
        days.max(0)
    )
}
