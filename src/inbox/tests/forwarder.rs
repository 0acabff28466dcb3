//! The inbox and its forwarder: what was promised to amoCRM reaches Inngest, once and without fail.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{clock, eventually, moved};
use crate::clock::ManualClock;
use crate::db::testing::Database;
use crate::inbox::{EventSink, Forwarder, Inbox, InboxCounts, OutgoingEvent, Pace, SendError};
use crate::metrics::Metrics;

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
    inbox: Inbox,
    inngest: Inngest,
    metrics: Metrics,
    stop: CancellationToken,
    clock: Arc<ManualClock>,
    database: Database,
}

impl Service {
    async fn new() -> Self {
        let database = Database::new().await;
        let clock = clock();
        Self {
            inbox: Inbox::new(database.open(clock.clone()).await),
            inngest: Inngest::default(),
            metrics: Metrics::new(),
            stop: CancellationToken::new(),
            clock,
            database,
        }
    }

    async fn stores(&self, leads: impl IntoIterator<Item = u64>) -> Vec<String> {
        let leads: Vec<_> = leads.into_iter().map(moved).collect();
        self.inbox.store(b"body", &leads, None).await.unwrap()
    }

    fn forwards(&self) -> JoinHandle<()> {
        let forwarder = Forwarder {
            inbox: self.inbox.clone(),
            sink: self.inngest.clone(),
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
        self.inbox.counts().await.unwrap()
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
        eventually("a try has failed", async || service.inbox.held(None, 1).await.unwrap().pop())
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
    let parked = service.inbox.parked(10).await.unwrap();
    assert_eq!((parked.len(), parked[0].lead_id, &parked[0].id), (1, 7, &ids[6]));
    assert_eq!(parked[0].reason, "event too large");

    // A person has mended what was wrong.
    service.inngest.0.lock().unwrap().poison = None;
    assert_eq!(service.inbox.unpark(Some(8)).await.unwrap(), 0);
    assert_eq!(service.inbox.unpark(Some(7)).await.unwrap(), 1);
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
    service.inbox = Inbox::new(service.database.open(service.clock.clone()).await);
    service.forwards();
    service.until_nothing_waits().await;
    assert_eq!(service.inngest.requests(), [ids]);
}
