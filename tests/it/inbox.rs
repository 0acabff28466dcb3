//! The inbox and its forwarder: what was promised to amoCRM reaches Inngest, once and without fail.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use functions::webhook::{Action, AmoCrmWebhook};
use prometei_flow::clock::{Clock as _, ManualClock};
use prometei_flow::db::Db;
use prometei_flow::inbox::InboxCounts;
use prometei_flow::inbox::{EventSink, Forwarder, OutgoingEvent, Pace, SendError};
use prometei_flow::metrics::Metrics;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::database::Database;
use crate::e2e::eventually;

/// Inngest, as a script: one answer per request, then it accepts everything that is not poison.
#[derive(Clone, Default)]
struct Inngest(Arc<Mutex<Script>>);

#[derive(Default)]
struct Script {
    answers: VecDeque<SendError>,
    poison: Option<u64>,
    requests: Vec<(Instant, Vec<String>)>,
    accepted: Vec<(String, u64)>,
}

impl EventSink for Inngest {
    async fn send(&self, events: &[OutgoingEvent]) -> Result<(), SendError> {
        let mut script = self.0.lock().unwrap();
        let ids = events.iter().map(|event| event.id.clone()).collect();
        script.requests.push((Instant::now(), ids));
        if let Some(answer) = script.answers.pop_front() {
            return Err(answer);
        }
        let leads: Vec<_> = events.iter().map(lead).collect();
        let bad = leads.iter().position(|lead| Some(*lead) == script.poison);
        let good = bad.unwrap_or(events.len());
        for (event, lead) in events[..good].iter().zip(leads) {
            script.accepted.push((event.id.clone(), lead));
        }
        match bad {
            None => Ok(()),
            Some(accepted) => {
                Err(SendError::Refused { accepted, reason: "event too large".into() })
            }
        }
    }
}

fn lead(event: &OutgoingEvent) -> u64 {
    let data: serde_json::Value = serde_json::from_str(event.data.get()).unwrap();
    assert_eq!((event.name, event.ts), ("amocrm/webhook", 1_795_341_600_125));
    data["leadId"].as_u64().unwrap()
}

fn away() -> SendError {
    SendError::Retriable { reason: "connection refused".into(), retry_after: None }
}

impl Inngest {
    fn answers(&self, answers: impl IntoIterator<Item = SendError>) {
        self.0.lock().unwrap().answers.extend(answers);
    }

    fn accepted_leads(&self) -> Vec<u64> {
        let mut leads: Vec<_> =
            self.0.lock().unwrap().accepted.iter().map(|(_, lead)| *lead).collect();
        leads.sort_unstable();
        leads
    }

    fn requests(&self) -> Vec<Vec<String>> {
        self.0.lock().unwrap().requests.iter().map(|(_, ids)| ids.clone()).collect()
    }
}

struct Service {
    store: Db,
    inngest: Inngest,
    wake: Arc<Notify>,
    metrics: Metrics,
    stop: CancellationToken,
    clock: Arc<ManualClock>,
    database: Database,
}

impl Service {
    async fn new() -> Self {
        let database = Database::new().await;
        let clock = Arc::new(ManualClock::new("2026-11-22T10:00:00.125Z".parse().unwrap()));
        Self {
            store: database.open(clock.clone()).await,
            inngest: Inngest::default(),
            wake: Arc::default(),
            metrics: Metrics::new(),
            stop: CancellationToken::new(),
            clock,
            database,
        }
    }

    async fn stores(&self, leads: impl IntoIterator<Item = u64>) -> Vec<String> {
        let leads: Vec<_> = leads.into_iter().map(moved).collect();
        self.store.accept_webhook(b"body", &leads, None).await.unwrap()
    }

    fn forwards(&self) -> JoinHandle<()> {
        let forwarder = Forwarder {
            store: self.store.clone(),
            sink: self.inngest.clone(),
            wake: self.wake.clone(),
            metrics: self.metrics.clone(),
            pace: Pace {
                poll: Duration::from_secs(30),
                first_retry: Duration::from_millis(20),
                longest_retry: Duration::from_millis(80),
            },
        };
        tokio::spawn(forwarder.run(self.stop.clone()))
    }

    async fn counts(&self) -> InboxCounts {
        self.store.inbox_counts().await.unwrap()
    }

    async fn until_nothing_waits(&self) {
        let empty = async {
            while self.counts().await.waiting > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), empty).await.unwrap();
    }
}

/// What a webhook says of a lead that has moved.
pub(crate) fn moved(lead_id: u64) -> AmoCrmWebhook {
    AmoCrmWebhook {
        lead_id,
        account_id: Some(1),
        subdomain: None,
        pipeline_id: None,
        status_id: None,
        old_pipeline_id: None,
        old_status_id: None,
        action: Some(Action::Status),
        received_at: None,
    }
}

#[tokio::test]
async fn what_inngest_accepted_is_forgotten() {
    let service = Service::new().await;
    let ids = service.stores([1, 2, 3]).await;
    service.forwards();
    service.until_nothing_waits().await;
    assert_eq!(service.inngest.requests(), [ids]);
    assert_eq!(service.inngest.accepted_leads(), [1, 2, 3]);
    assert!(service.metrics.render().contains("prometei_flow_events_sent_total 3"));
}

#[tokio::test]
async fn nothing_is_forgotten_before_inngest_has_it_and_a_resend_keeps_its_ids() {
    let service = Service::new().await;
    let ids = service.stores([1, 2]).await;
    service.inngest.answers([away(), away(), away()]);
    service.forwards();
    service.until_nothing_waits().await;
    assert_eq!(service.inngest.requests(), vec![ids; 4]);
    assert!(service.metrics.render().contains("prometei_flow_event_send_failures_total 3"));
}

#[tokio::test]
async fn while_inngest_is_away_the_waits_grow_and_rows_say_why() {
    let service = Service::new().await;
    service.stores([1]).await;
    service.inngest.answers((0..30).map(|_| away()));
    let forwarder = service.forwards();
    let row =
        eventually("a try has failed", async || service.store.held(None, 1).await.unwrap().pop())
            .await;
    assert!(row.attempts >= 1 && row.reason == "connection refused", "{row:?}");
    service.until_nothing_waits().await;
    let script = service.inngest.0.lock().unwrap();
    let waits = script.requests.windows(2).map(|pair| pair[1].0 - pair[0].0);
    // 20, 40, 80, 80, 80, 80 ms and not less.
    for (wait, least) in waits.zip([20, 40, 80, 80, 80, 80]) {
        assert!(wait >= Duration::from_millis(least), "{wait:?} is less than {least} ms");
    }
    drop(forwarder);
}

#[tokio::test]
async fn an_event_that_inngest_refuses_is_parked_and_blocks_no_other() {
    let service = Service::new().await;
    let ids = service.stores(1..=20).await;
    service.inngest.0.lock().unwrap().poison = Some(7);
    service.forwards();
    service.until_nothing_waits().await;

    let others: Vec<_> = (1..=20).filter(|lead| *lead != 7).collect();
    assert_eq!(service.inngest.accepted_leads(), others);
    let parked = service.store.parked(10).await.unwrap();
    assert_eq!((parked.len(), parked[0].lead_id, &parked[0].id), (1, 7, &ids[6]));
    assert_eq!(parked[0].reason, "event too large");

    // A person has mended what was wrong.
    service.inngest.0.lock().unwrap().poison = None;
    assert_eq!(service.store.unpark(Some(8)).await.unwrap(), 0);
    assert_eq!(service.store.unpark(Some(7)).await.unwrap(), 1);
    service.wake.notify_one();
    service.until_nothing_waits().await;
    assert_eq!(service.inngest.accepted_leads(), (1..=20).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_outage_in_the_middle_of_sorting_out_a_refusal_loses_nothing() {
    let service = Service::new().await;
    service.stores(1..=5).await;
    let refused = SendError::Refused { accepted: 0, reason: "bad".into() };
    service.inngest.answers([refused, away()]);
    service.forwards();
    service.until_nothing_waits().await;
    assert_eq!(service.inngest.accepted_leads(), [1, 2, 3, 4, 5]);
    assert_eq!(service.counts().await.parked, 0);
}

#[tokio::test]
async fn batches_are_bounded_and_a_backlog_is_sent_without_pauses() {
    let service = Service::new().await;
    service.stores(1..=250).await;
    service.forwards();
    service.until_nothing_waits().await;
    let sizes: Vec<_> = service.inngest.requests().iter().map(Vec::len).collect();
    assert_eq!(sizes, [100, 100, 50]);
}

#[tokio::test]
async fn a_new_webhook_wakes_the_forwarder() {
    let service = Service::new().await;
    service.forwards();
    tokio::time::sleep(Duration::from_millis(30)).await;
    service.stores([1]).await;
    service.wake.notify_one();
    service.until_nothing_waits().await;
}

#[tokio::test]
async fn it_stops_when_told_also_while_inngest_is_away() {
    for answers in [vec![], vec![away(); 1000]] {
        let service = Service::new().await;
        service.stores([1]).await;
        service.inngest.answers(answers);
        let forwarder = service.forwards();
        tokio::time::sleep(Duration::from_millis(100)).await;
        service.stop.cancel();
        tokio::time::timeout(Duration::from_secs(1), forwarder).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_row_survives_the_process_and_is_sent_by_the_next_one_under_the_same_id() {
    let mut service = Service::new().await;
    let ids = service.stores([1]).await;
    service.store = service.database.open(service.clock.clone()).await;
    service.forwards();
    service.until_nothing_waits().await;
    assert_eq!(service.inngest.requests(), [ids]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_is_given_up_in_the_middle_leaves_no_half_and_blocks_no_other() {
    let service = Service::new().await;
    let leads: Vec<_> = (1..=3).map(moved).collect();
    for microseconds in (0..3000).step_by(10) {
        let storing = service.store.accept_webhook(b"body", &leads, None);
        let _ = tokio::time::timeout(Duration::from_micros(microseconds), storing).await;
    }
    let stored = tokio::time::timeout(Duration::from_secs(5), service.stores([4, 5, 6])).await;
    assert_eq!(stored.unwrap().len(), 3);
    assert_eq!(service.counts().await.waiting % 3, 0);
}

#[tokio::test]
async fn bodies_are_removed_after_a_while_but_not_those_of_waiting_rows() {
    let service = Service::new().await;
    service.store.store_unparsable(b"garbage", "no webhook").await.unwrap();
    let ids = service.stores([1]).await;
    service.clock.advance(Duration::from_secs(1));
    assert_eq!(service.store.purge_bodies(service.clock.now()).await.unwrap(), 1);
    assert_eq!(service.counts().await.unparsable, 0);
    service.store.delete_accepted(&[ids[0].as_str()]).await.unwrap();
    assert_eq!(service.store.purge_bodies(service.clock.now()).await.unwrap(), 1);
}

#[cfg(unix)]
#[tokio::test]
async fn the_database_is_readable_by_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/flow.db", folder.path().display());
    let clock = Arc::new(ManualClock::new("2026-11-22T10:00:00Z".parse().unwrap()));
    let store = Db::open_for_service(&url, clock).await.unwrap();
    store.accept_webhook(b"body", &[moved(1)], None).await.unwrap();
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{:?}", file.file_name());
    }
}

#[tokio::test]
async fn a_database_that_cannot_be_opened_says_which_one() {
    let clock = Arc::new(ManualClock::new("2026-11-22T10:00:00Z".parse().unwrap()));
    for (url, expected) in [
        ("sqlite:///nowhere/at/all/flow.db", "cannot create the database /nowhere/at/all/flow.db"),
        ("sqlite::memory:", "would lose"),
        ("mysql://localhost/flow", "only sqlite"),
        ("postgres://flow:sesame@127.0.0.1:1/flow", "cannot connect to PostgreSQL"),
    ] {
        let error = Db::open(url, clock.clone()).await.err().unwrap();
        let text = format!("{error:#}");
        assert!(text.contains(expected) && !text.contains("sesame"), "{text}");
    }
}
