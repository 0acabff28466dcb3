use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::Registry;

/// What is read only when the metrics are asked for. Each time is a new set: what could not be read is absent, and not as it
/// was before.
pub(crate) struct Scrape {
    pub(super) registry: Registry,
}

impl Scrape {
    /// Nothing yet.
    pub(crate) fn new() -> Self {
        Self { registry: Registry::with_prefix(super::PREFIX) }
    }

    /// One value.
    pub(crate) fn gauge(&mut self, name: &str, help: &str, value: f64) {
        self.registry.register(name, help, ConstGauge::new(value));
    }

    /// A value for each set of labels.
    pub(crate) fn gauges<const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = ([(&'static str, &'static str); N], f64)>,
    ) {
        let family = Family::<_, Gauge<f64, AtomicU64>>::default();
        for (labels, value) in values {
            family.get_or_create(&labels).set(value);
        }
        self.registry.register(name, help, family);
    }
}
