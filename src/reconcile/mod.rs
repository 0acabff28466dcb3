//! What no webhook reported: amoCRM's feed of events is read, and leads that it names and that are not known here go
//! the way of all others.

mod feed;
mod log;
mod table;
#[cfg(test)]
mod tests;

use functions::ReconcileLeads;

use crate::amocrm::AmoCrmPort;
use crate::db::Db;
use crate::deals::Dedupe;
use crate::metrics::Metrics;
use feed::AmoCrmFeed;
use log::StoredLog;

/// The function that reconciles, for leads that enter one of `stages`, which are (pipeline, status) pairs.
pub(crate) fn function(
    amocrm: AmoCrmPort,
    db: Db,
    metrics: Metrics,
    dedupe: Dedupe,
    stages: Vec<(u64, u64)>,
) -> ReconcileLeads<AmoCrmFeed, StoredLog> {
    ReconcileLeads { feed: AmoCrmFeed(amocrm), log: StoredLog::new(db, metrics, dedupe), stages }
}
