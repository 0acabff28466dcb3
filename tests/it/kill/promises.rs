//! Each webhook that was answered 200 is a promise: one record, or an item that a person sees.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use inngest_dev_server::Observation;
use sandbox::webhook_of;
use tokio_util::sync::CancellationToken;

use super::LEADS;
use crate::world::{Program, World};

/// How long until every promise is kept, or broken visibly: the claims of a killed replica run out first.
const DEADLINE: Duration = Duration::from_secs(150);

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

/// Waits until each promised lead has its one record, or is seen to have none. Returns how many of each there are.
pub(super) async fn until_all_are_kept(
    world: &World<Program>,
    promised: &BTreeSet<u64>,
    failed: &Mutex<BTreeSet<u64>>,
) -> String {
    let started = Instant::now();
    let mut pause = tokio::time::interval(Duration::from_millis(250));
    loop {
        pause.tick().await;
        let records = records(world);
        for (lead, count) in &records {
            assert_eq!(*count, 1, "lead {lead} has {count} records");
        }
        let mut missing = promised - &*failed.lock().unwrap();
        missing.retain(|lead| !records.contains_key(lead));
        if !missing.is_empty() {
            for deal in world.deals().await {
                missing.remove(&deal["lead"].as_u64().unwrap());
            }
        }
        let waiting = world.waiting().await;
        if missing.is_empty() && waiting == 0 {
            let visible = promised.iter().filter(|lead| !records.contains_key(lead)).count();
            return format!("{} records, {visible} visible items without one", records.len());
        }
        assert!(started.elapsed() < DEADLINE, "lost: {missing:?}; {waiting} in the inbox");
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

/// The leads of failed runs, as Inngest shows them from now on.
pub(super) fn follow_failures(world: &World<Program>) -> Arc<Mutex<BTreeSet<u64>>> {
    let failed = Arc::new(Mutex::new(BTreeSet::new()));
    let (mut seen, found) = (world.observations.resubscribe(), Arc::clone(&failed));
    tokio::spawn(async move {
        let (mut leads, mut runs) = (BTreeMap::new(), BTreeMap::new());
        while let Ok(observation) = seen.recv().await {
            match observation {
                Observation::EventReceived { id, data, .. } => {
                    leads.insert(id, data["leadId"].as_u64());
                }
                Observation::RunStarted { run_id, event_id, .. } => {
                    runs.insert(run_id, event_id);
                }
                Observation::RunFailed { run_id, .. } => {
                    let lead = runs.get(&run_id).and_then(|event| leads.get(event)).copied();
                    found.lock().unwrap().extend(lead.flatten());
                }
                _ => {}
            }
        }
    });
    failed
}
