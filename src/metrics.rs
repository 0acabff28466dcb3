//! What the service counts. No label carries an id, a name or a secret.

use std::sync::Arc;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// The content type of [`Metrics::render`].
pub const METRICS_CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The counters. Clones share them.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    webhooks: Family<[(&'static str, &'static str); 1], Counter>,
    leads_stored: Counter,
    events_sent: Counter,
    events_parked: Counter,
    send_failures: Counter,
    inbox_waiting: Gauge,
    inbox_parked: Gauge,
    bodies_unparsable: Gauge,
    reconcile_runs: Counter,
    leads_missed: Counter,
    amocrm_needs_person: Gauge,
    amocrm_subscription: Gauge,
    amocrm_token_days: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Counters that start at zero.
    pub fn new() -> Self {
        let mut metrics = Self {
            registry: Arc::default(),
            webhooks: Family::default(),
            leads_stored: Counter::default(),
            events_sent: Counter::default(),
            events_parked: Counter::default(),
            send_failures: Counter::default(),
            inbox_waiting: Gauge::default(),
            inbox_parked: Gauge::default(),
            bodies_unparsable: Gauge::default(),
            reconcile_runs: Counter::default(),
            leads_missed: Counter::default(),
            amocrm_needs_person: Gauge::default(),
            amocrm_subscription: Gauge::default(),
            amocrm_token_days: Gauge::default(),
        };
        // Unknown until the first health check, and no alarm before it.
        metrics.amocrm_subscription.set(-1);
        metrics.amocrm_token_days.set(-1);
        let mut registry = Registry::with_prefix("prometei_flow");
        let mut counter = |name: &str, help: &str, counter: &Counter| {
            registry.register(name, help, counter.clone());
        };
        counter("leads_stored", "Leads taken from webhooks into the inbox", &metrics.leads_stored);
        counter("events_sent", "Events that Inngest accepted", &metrics.events_sent);
        counter("events_parked", "Events that Inngest refused for good", &metrics.events_parked);
        counter("event_send_failures", "Sends to try again", &metrics.send_failures);
        let help = "Looks through what happened in amoCRM";
        counter("reconcile_runs", help, &metrics.reconcile_runs);
        let help = "Leads that no webhook told of, found by reconciliation";
        counter("leads_missed_by_webhooks", help, &metrics.leads_missed);
        let mut gauge = |name: &str, help: &str, gauge: &Gauge| {
            registry.register(name, help, gauge.clone());
        };
        gauge("inbox_waiting", "Leads that Inngest does not have yet", &metrics.inbox_waiting);
        gauge(
            "inbox_parked",
            "Leads that Inngest refuses; a person must look",
            &metrics.inbox_parked,
        );
        let help = "Kept webhook bodies of which something could not be read";
        gauge("webhook_bodies_unparsable", help, &metrics.bodies_unparsable);
        let help = "1 while amoCRM's tokens need a person (needs_reauth), else 0";
        gauge("amocrm_needs_reauth", help, &metrics.amocrm_needs_person);
        let help = "amoCRM's webhook for this service: 1 in place, 0 not, -1 unknown";
        gauge("amocrm_subscription", help, &metrics.amocrm_subscription);
        let help = "Days until the long-lived token ends, -1 when there is none or it does not say";
        gauge("amocrm_long_lived_token_days", help, &metrics.amocrm_token_days);
        let help = "Webhooks, by how they were answered";
        registry.register("webhooks_received", help, metrics.webhooks.clone());
        metrics.registry = Arc::new(registry);
        metrics
    }

    /// Counts a webhook, by the name of what became of it.
    pub fn webhook(&self, outcome: &'static str) {
        self.webhooks.get_or_create(&[("outcome", outcome)]).inc();
    }

    /// Counts leads that went into the inbox.
    pub fn leads_stored(&self, leads: usize) {
        self.leads_stored.inc_by(leads as u64);
    }

    /// Counts events that Inngest accepted.
    pub fn events_sent(&self, events: usize) {
        self.events_sent.inc_by(events as u64);
    }

    /// Counts an event that Inngest refused for good.
    pub fn event_parked(&self) {
        self.events_parked.inc();
    }

    /// Counts a send that will be tried again.
    pub fn send_failed(&self) {
        self.send_failures.inc();
    }

    /// Counts a run of reconciliation, and the leads that webhooks had missed.
    pub fn reconciled(&self, missed: usize) {
        self.reconcile_runs.inc();
        self.leads_missed.inc_by(missed as u64);
    }

    /// Whether amoCRM's tokens need a person.
    pub fn amocrm_needs_reauth(&self, needed: bool) {
        self.amocrm_needs_person.set(needed.into());
    }

    /// Whether amoCRM's webhook is in place; `None` when it could not be looked at.
    pub fn amocrm_subscription(&self, good: Option<bool>) {
        self.amocrm_subscription.set(good.map_or(-1, i64::from));
    }

    /// How many days the long-lived token still has.
    pub fn amocrm_token_days(&self, days: i64) {
        self.amocrm_token_days.set(days);
    }

    /// Sets the gauges to what lies in the inbox; call it before [`render`](Self::render).
    pub fn set_inbox(&self, waiting: i64, parked: i64, unparsable: i64) {
        self.inbox_waiting.set(waiting);
        self.inbox_parked.set(parked);
        self.bodies_unparsable.set(unparsable);
    }

    /// Everything, in the OpenMetrics text format.
    pub fn render(&self) -> String {
        let mut text = String::new();
        // Writing into a string cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
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
