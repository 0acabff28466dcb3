//! What the service counts and measures. It knows no feature, and no label carries an id, a name or a secret.
//!
//! `durations.rs` measures what takes time; `runs.rs` does so for Inngest's calls; `scrape.rs` holds what is read only when the
//! metrics are asked for; `text.rs` writes all of it.

mod durations;
mod runs;
mod scrape;
mod text;

use std::sync::Arc;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Metric, Registry};

pub(crate) use durations::{Durations, Timer};
pub(crate) use runs::MeasureRuns;
pub(crate) use scrape::Scrape;
pub(crate) use text::CONTENT_TYPE as METRICS_CONTENT_TYPE;

const PREFIX: &str = "prometei_flow";

/// What becomes of webhooks. Each is shown from the start, as 0: what a counter is first seen with is no increase.
const WEBHOOKS: [&str; 7] =
    ["accepted", "ignored", "empty", "unparsable", "unauthorized", "too_large", "not_stored"];

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
    reconcile_runs: Counter,
    feed_entries_odd: Counter,
    leads_missed: Counter,
    amocrm_needs_person: Gauge,
    amocrm_subscription: Gauge,
    calls: Durations,
    steps: Durations,
    erp: Durations,
    amocrm: Durations,
    database: Durations,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Counters that start at zero.
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix(PREFIX);
        let labels = vec![("version", env!("CARGO_PKG_VERSION"))];
        let build = Family::<_, Gauge>::default();
        build.get_or_create(&labels).set(1);
        registry.register("build_info", "The version that runs", build);
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
            calls: Durations::registered(
                add,
                "function_call_duration_seconds",
                "Inngest's calls of a function, by what came of them",
            ),
            steps: Durations::registered(
                add,
                "step_duration_seconds",
                "Steps whose code ran, by what came of it",
            ),
            erp: Durations::registered(
                add,
                "erp_call_duration_seconds",
                "Calls of the ERP, by what they ask for and what their answers prove",
            ),
            amocrm: Durations::registered(
                add,
                "amocrm_call_duration_seconds",
                "Calls of amoCRM, by what they are about and how they were answered",
            ),
            database: Durations::registered(
                add,
                "database_duration_seconds",
                "Queries, and transactions from their beginning to the end of their commit",
            ),
            registry: Arc::default(),
        };
        metrics.registry = Arc::new(registry);
        for outcome in WEBHOOKS {
            metrics.webhooks.get_or_create(&[("outcome", outcome)]).inc_by(0);
        }
        // Unknown until the first health check, and no alarm before it.
        metrics.amocrm_subscription.set(-1);
        metrics
    }

    /// Counts a webhook, by the name of what became of it.
    pub(crate) fn webhook(&self, outcome: &'static str) {
        debug_assert!(WEBHOOKS.contains(&outcome), "{outcome} is not in the list");
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

    /// Whether amoCRM's tokens need a person.
    pub(crate) fn amocrm_needs_reauth(&self, needed: bool) {
        self.amocrm_needs_person.set(needed.into());
    }

    /// Whether amoCRM's webhook is in place; `None` when it could not be looked at.
    pub(crate) fn amocrm_subscription(&self, good: Option<bool>) {
        self.amocrm_subscription.set(good.map_or(-1, i64::from));
    }

    /// Whether Inngest is known to know the functions.
    pub(crate) fn inngest_registered(&self, known: bool) {
        self.registered.set(known.into());
    }

    /// Counts deals that were sent to Inngest again.
    pub(crate) fn deals_resent(&self, deals: usize) {
        self.deals_resent.inc_by(deals as u64);
    }

    /// Measures Inngest's calls and their steps.
    pub(crate) fn runs(&self) -> MeasureRuns {
        MeasureRuns { calls: self.calls.clone(), steps: self.steps.clone() }
    }

    /// For calls of the ERP.
    pub(crate) fn erp(&self) -> Durations {
        self.erp.clone()
    }

    /// For calls of amoCRM.
    pub(crate) fn amocrm(&self) -> Durations {
        self.amocrm.clone()
    }

    /// For queries and transactions.
    pub(crate) fn database(&self) -> Durations {
        self.database.clone()
    }

    /// What is counted, as text.
    #[cfg(test)]
    pub(crate) fn render(&self) -> String {
        text::render(&[&self.registry])
    }

    /// Everything as text: what is counted, and what was read for this one time.
    pub(crate) fn render_with(&self, scrape: &Scrape) -> String {
        text::render(&[&self.registry, &scrape.registry])
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
            "# TYPE prometei_flow_webhooks_received_total counter",
            "prometei_flow_webhooks_received_total{outcome=\"accepted\"} 1",
            "prometei_flow_webhooks_received_total{outcome=\"too_large\"} 1",
            "prometei_flow_webhooks_received_total{outcome=\"not_stored\"} 0",
            "prometei_flow_leads_stored_total 3",
        ] {
            assert!(text.contains(&format!("{line}\n")), "{line} is not in\n{text}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_given_up_is_measured_too_and_each_once() {
        let metrics = Metrics::new();
        let insert = || metrics.erp().begin([("call", "insert".into())]);
        let (done, given_up) = (insert(), insert());
        tokio::time::advance(std::time::Duration::from_secs(3)).await;
        done.ends("done");
        drop(given_up);
        let text = metrics.render();
        for line in [
            "_count{call=\"insert\",outcome=\"done\"} 1\n",
            "_sum{call=\"insert\",outcome=\"done\"} 3.0\n",
            "_count{call=\"insert\",outcome=\"given_up\"} 1\n",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
}
