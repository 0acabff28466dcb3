//! What the service counts. No label carries an id, a name or a secret.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use jiff::{SignedDuration, Timestamp};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Metric, Registry};

use crate::deals::DealCounts;
use crate::heartbeat::LoopAge;

/// The content type of [`Metrics::render`].
pub(crate) const METRICS_CONTENT_TYPE: &str =
    "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The counters. Clones share them.
#[derive(Clone)]
pub(crate) struct Metrics {
    registry: Arc<Registry>,
    webhooks: Family<[(&'static str, &'static str); 1], Counter>,
    leads_stored: Counter,
    events_sent: Counter,
    events_refused: Counter,
    deals_resent: Counter,
    registered: Gauge,
    send_failures: Counter,
    inbox_waiting: Gauge,
    deals_unfinished: Gauge,
    deals_failed: Gauge,
    deals_in_doubt: Gauge,
    deals_needing_person: Gauge,
    deals_differing: Gauge,
    oldest_unfinished: Gauge,
    bodies_unparsable: Gauge,
    reconcile_runs: Counter,
    reconcile_behind: Gauge,
    feed_entries_odd: Counter,
    leads_missed: Counter,
    amocrm_needs_person: Gauge,
    amocrm_subscription: Gauge,
    amocrm_token_days: Gauge,
    loop_age: Family<[(&'static str, &'static str); 1], Gauge>,
    clock_skew: Gauge<f64, AtomicU64>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Counters that start at zero.
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("prometei_flow");
        let add = &mut registry;
        let mut metrics = Self {
            webhooks: register(add, "webhooks_received", "Webhooks, by how they were answered"),
            leads_stored: register(add, "leads_stored", "Leads taken from webhooks into the inbox"),
            events_sent: register(add, "events_sent", "Events that Inngest accepted"),
            events_refused: register(add, "events_refused", "Events that Inngest refused for good"),
            deals_resent: register(
                add,
                "deals_resent",
                "Deals that were sent to Inngest again, or to be compared with their records",
            ),
            registered: register(
                add,
                "inngest_registered",
                "1 while Inngest is known to know the functions, else 0: deals wait, or may start nothing",
            ),
            send_failures: register(add, "event_send_failures", "Failed sends, to be tried again"),
            reconcile_runs: register(add, "reconcile_runs", "Runs of reconciliation"),
            reconcile_behind: register(
                add,
                "reconcile_behind_seconds",
                "How long ago the moment is up to which amoCRM's events were read, -1 when unknown",
            ),
            feed_entries_odd: register(
                add,
                "reconcile_odd_entries",
                "Entries of amoCRM's events that could not be used, each time they are read",
            ),
            leads_missed: register(
                add,
                "leads_missed_by_webhooks",
                "Leads that no webhook told of, found by reconciliation",
            ),
            inbox_waiting: register(add, "inbox_waiting", "Leads that Inngest does not have yet"),
            deals_unfinished: register(add, "deals_unfinished", "Deals that have no record yet"),
            deals_failed: register(
                add,
                "deals_failed",
                "Unfinished deals whose last attempt failed",
            ),
            deals_in_doubt: register(
                add,
                "deals_in_doubt",
                "Unfinished deals of which it is not known whether they have a record",
            ),
            deals_needing_person: register(
                add,
                "deals_needing_person",
                "Unfinished deals that wait for a person: see prometei-flow deals",
            ),
            deals_differing: register(
                add,
                "deals_differing",
                "Deals whose records differ from their leads, or could not be compared: see prometei-flow deals",
            ),
            oldest_unfinished: register(
                add,
                "deals_oldest_unfinished_seconds",
                "How long ago the oldest unfinished deal was reported, 0 when there is none",
            ),
            bodies_unparsable: register(
                add,
                "webhook_bodies_unparsable",
                "Kept webhook bodies of which something could not be read",
            ),
            amocrm_needs_person: register(
                add,
                "amocrm_needs_reauth",
                "1 while amoCRM's tokens need a person (needs_reauth), else 0",
            ),
            amocrm_subscription: register(
                add,
                "amocrm_subscription",
                "amoCRM's webhook for this service: 1 in place, 0 not, -1 unknown",
            ),
            amocrm_token_days: register(
                add,
                "amocrm_long_lived_token_days",
                "Days until the long-lived token ends, -1 when there is none or it does not say",
            ),
            loop_age: register(
                add,
                "loop_age_seconds",
                "Seconds since a loop of the service last went round without an error",
            ),
            clock_skew: register(
                add,
                "database_clock_skew_seconds",
                "Seconds by which the database's clock is ahead of this machine's",
            ),
            registry: Arc::default(),
        };
        metrics.registry = Arc::new(registry);
        // Unknown until the first health check, and no alarm before it.
        metrics.amocrm_subscription.set(-1);
        metrics.amocrm_token_days.set(-1);
        metrics.reconcile_behind.set(-1);
        metrics
    }

    /// Counts a webhook, by the name of what became of it.
    pub(crate) fn webhook(&self, outcome: &'static str) {
        self.webhooks.get_or_create(&[("outcome", outcome)]).inc();
    }

    /// Counts leads that went into the inbox.
    pub(crate) fn leads_stored(&self, leads: usize) {
        self.leads_stored.inc_by(leads as u64);
    }

    /// Counts events that Inngest accepted.
    pub(crate) fn events_sent(&self, events: usize) {
        self.events_sent.inc_by(events as u64);
    }

    /// Counts an event that Inngest refused for good.
    pub(crate) fn event_refused(&self) {
        self.events_refused.inc();
    }

    /// Counts a send that will be tried again.
    pub(crate) fn send_failed(&self) {
        self.send_failures.inc();
    }

    /// Counts a run of reconciliation.
    pub(crate) fn reconcile_begun(&self) {
        self.reconcile_runs.inc();
    }

    /// Counts leads that webhooks had missed.
    pub(crate) fn leads_missed(&self, leads: usize) {
        self.leads_missed.inc_by(leads as u64);
    }

    /// Counts an entry of amoCRM's feed that was passed over.
    pub(crate) fn feed_entry_odd(&self) {
        self.feed_entries_odd.inc();
    }

    /// How far reconciliation is behind the present, in seconds; `None` where it is switched off or has not run.
    pub(crate) fn reconcile_behind(&self, seconds: Option<i64>) {
        self.reconcile_behind.set(seconds.unwrap_or(-1));
    }

    /// Whether amoCRM's tokens need a person.
    pub(crate) fn amocrm_needs_reauth(&self, needed: bool) {
        self.amocrm_needs_person.set(needed.into());
    }

    /// Whether amoCRM's webhook is in place; `None` when it could not be looked at.
    pub(crate) fn amocrm_subscription(&self, good: Option<bool>) {
        self.amocrm_subscription.set(good.map_or(-1, i64::from));
    }

    /// How many days the long-lived token still has.
    pub(crate) fn amocrm_token_days(&self, days: i64) {
        self.amocrm_token_days.set(days);
    }

    /// Whether Inngest is known to know the functions.
    pub(crate) fn inngest_registered(&self, known: bool) {
        self.registered.set(known.into());
    }

    /// Counts deals that were sent to Inngest again.
    pub(crate) fn deals_resent(&self, deals: usize) {
        self.deals_resent.inc_by(deals as u64);
    }

    /// Sets the gauges to what lies in the inbox; call it before [`render`](Self::render).
    pub(crate) fn set_inbox(&self, waiting: i64, unparsable: i64) {
        self.inbox_waiting.set(waiting);
        self.bodies_unparsable.set(unparsable);
    }

    /// Sets the gauges to what is not done; call it before [`render`](Self::render).
    pub(crate) fn set_deals(&self, counts: &DealCounts, now: Timestamp) {
        self.deals_unfinished.set(counts.unfinished);
        self.deals_failed.set(counts.failed);
        self.deals_in_doubt.set(counts.in_doubt);
        self.deals_needing_person.set(counts.needs_person);
        self.deals_differing.set(counts.differing);
        let age = counts.oldest_unfinished.map(|oldest| now.duration_since(oldest).as_secs());
        self.oldest_unfinished.set(age.unwrap_or(0));
    }

    /// Sets the ages of the loops; call it before [`render`](Self::render).
    pub(crate) fn set_loop_ages(&self, loops: &[LoopAge]) {
        for age in loops {
            self.loop_age.get_or_create(&[("loop", age.name)]).set(age.age.as_secs() as i64);
        }
    }

    /// Sets how far the database's clock is ahead; zero where it has none of its own.
    pub(crate) fn set_clock_skew(&self, ahead: Option<SignedDuration>) {
        self.clock_skew.set(ahead.unwrap_or_default().as_secs_f64());
    }

    /// Everything, in the OpenMetrics text format.
    pub(crate) fn render(&self) -> String {
        let mut text = String::new();
        // Writing into a string cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

/// A new metric, known to `registry`.
fn register<M: Metric + Clone + Default>(registry: &mut Registry, name: &str, help: &str) -> M {
    let metric = M::default();
    registry.register(name, help, metric.clone());
    metric
}

#[cfg(test)]
mod tests {
    use super::Metrics;

    #[test]
    fn counts_are_rendered_by_outcome() {
        let metrics = Metrics::new();
        metrics.webhook("accepted");
        metrics.webhook("too_large");
        metrics.leads_stored(3);
        let text = metrics.render();
        for line in [
            "prometei_flow_webhooks_received_total{outcome=\"accepted\"} 1",
            "prometei_flow_webhooks_received_total{outcome=\"too_large\"} 1",
            "prometei_flow_leads_stored_total 3",
            "prometei_flow_inbox_waiting 0",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
}
