//! What no webhook reported: amoCRM's feed of events is read, and leads that it names and that are not known here go
//! the way of all others.

mod entry;
mod feed;
mod log;
mod progress;
mod table;
#[cfg(test)]
mod tests;

use functions::ReconcileLeads;

use crate::amocrm::AmoCrmPort;
use crate::db::Db;
use crate::deals::Rules;
use crate::inbox::Inbox;
use crate::metrics::Metrics;
use feed::AmoCrmFeed;
use log::StoredLog;
pub(crate) use progress::Progress;
pub(crate) use progress::behind_limit;

/// The function that reconciles, for leads that enter one of `stages`, which are (pipeline, status) pairs.
pub(crate) fn function(
    amocrm: AmoCrmPort,
    db: Db,
    inbox: Inbox,
    metrics: Metrics,
    rules: Rules,
    stages: Vec<(u64, u64)>,
) -> ReconcileLeads<AmoCrmFeed, StoredLog> {
    ReconcileLeads {
        feed: AmoCrmFeed::new(amocrm, stages.clone(), rules.on_change, metrics.clone()),
        log: StoredLog::new(db, inbox, metrics, rules.dedupe),
        stages,
    }
}
