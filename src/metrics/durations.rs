use std::borrow::Cow;
use std::time::Duration;

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use tokio::time::Instant;

/// A name and a value, both out of a small set: never an id of a deal.
type Label = (&'static str, Cow<'static, str>);

/// From one millisecond, which a query takes, to a minute, which an amoCRM or an ERP may take.
const BUCKETS: [f64; 12] = [0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// How long something takes, by what it is and by what comes of it. Clones share the numbers.
#[derive(Debug, Clone)]
pub(crate) struct Durations(Family<Vec<Label>, Histogram, fn() -> Histogram>);

impl Default for Durations {
    /// Of something that no metric shows.
    fn default() -> Self {
        Self(Family::new_with_constructor(|| Histogram::new(BUCKETS)))
    }
}

impl Durations {
    pub(super) fn registered(registry: &mut Registry, name: &str, help: &str) -> Self {
        let durations = Self::default();
        registry.register(name, help, durations.0.clone());
        durations
    }

    /// Begins to measure one, which `labels` describe.
    pub(crate) fn begin<const N: usize>(&self, labels: [Label; N]) -> Timer {
        Timer { durations: self.clone(), labels: labels.into(), begun: Instant::now() }
    }

    /// One took so long.
    pub(super) fn took(&self, mut labels: Vec<Label>, outcome: &'static str, took: Duration) {
        labels.push(("outcome", outcome.into()));
        self.0.get_or_create(&labels).observe(took.as_secs_f64());
    }
}

/// What is under way. Dropped without an end, it has ended by being given up, as when a client hangs up.
pub(crate) struct Timer {
    durations: Durations,
    labels: Vec<Label>,
    begun: Instant,
}

impl Timer {
    /// It has ended, with this outcome.
    pub(crate) fn ends(mut self, outcome: &'static str) {
        self.observe(outcome);
    }

    fn observe(&mut self, outcome: &'static str) {
        let labels = std::mem::take(&mut self.labels);
        self.durations.took(labels, outcome, self.begun.elapsed());
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        // Each kind has a label, so without labels it has ended already.
        if !self.labels.is_empty() {
            self.observe("given_up");
        }
    }
}
