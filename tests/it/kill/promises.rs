//! Each webhook that was answered 200 is a promise: one record, without a command.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use sandbox::webhook_of;
use tokio_util::sync::CancellationToken;

use super::LEADS;
use crate::world::{Program, World};

/// How long until every promise is kept. A deal in doubt is looked up 105 s after its claim.
const DEADLINE: Duration = Duration::from_secs(240);

/// Posts webhooks, several of each lead, until `stop`, and returns the leads that were answered 200.
pub(super) async fn post_webhooks(
    world: &World<Program>,
    stop: CancellationToken,
) -> BTreeSet<u64> {
    let http = reqwest::Client::builder().timeout(Duration::from_secs(3)).build().unwrap();
    let mut promised = BTreeSet::new();
    let mut pace = tokio::time::interval(Duration::from_millis(20));
    for (number, lead) in (1..=LEADS).cycle().enumerate() {
        pace.tick().await;
        if stop.is_cancelled() {
            break;
        }
        let replica = &world.replicas[number % world.replicas.len()];
        let url = format!("http://{}/api/amocrm-webhook", replica.address);
        let sent = http.post(url).body(webhook_of(lead)).send().await;
        if sent.is_ok_and(|answer| answer.status() == 200) {
            promised.insert(lead);
        }
    }
    promised
}

/// Waits until each promised lead has its one record. Returns how long the last one took.
pub(super) async fn until_all_are_kept(
    world: &World<Program>,
    promised: &BTreeSet<u64>,
) -> Duration {
    let started = Instant::now();
    let mut pause = tokio::time::interval(Duration::from_millis(250));
    loop {
        pause.tick().await;
        let records = records(world);
        for (lead, count) in &records {
            assert_eq!(*count, 1, "lead {lead} has {count} records");
        }
        let missing: Vec<_> = promised.iter().filter(|lead| !records.contains_key(lead)).collect();
        // A webhook may be stored though its answer was lost: then its lead gets a record too.
        if missing.is_empty() && world.waiting().await == 0 && world.deals().await.is_empty() {
            return started.elapsed();
        }
        if started.elapsed() > DEADLINE {
            panic!("without a record: {missing:?}; deals: {:#?}", world.deals().await);
        }
    }
}

/// How many records the ERP has of each lead.
fn records(world: &World<Program>) -> BTreeMap<u64, usize> {
    let mut records = BTreeMap::new();
    for row in world.erp.rows() {
        let lead = row.fields["field_1041"].as_str().unwrap().parse().unwrap();
        *records.entry(lead).or_default() += 1;
    }
    records
}
