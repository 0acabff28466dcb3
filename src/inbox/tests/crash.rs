//! Intake and forwarder: a webhook that was answered 200 reaches Inngest, whatever is killed and refused on the way.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use functions::webhook::LeadFilter;
use http::StatusCode;
use sandbox::{crash_after, crash_rounds};
use tokio_util::sync::CancellationToken;

use super::{clock, eventually};
use crate::db::testing::Database;
use crate::inbox::{CLAIM, EventSink, Forwarder, Inbox, Intake, OutgoingEvent, Pace, SendError};
use crate::metrics::Metrics;

/// Inngest: remembers ids, and misbehaves as told by a seed.
#[derive(Clone)]
struct Inngest(Arc<Mutex<State>>);

struct State {
    random: u64,
    trouble: bool,
    accepted: BTreeSet<(String, u64)>,
}

impl Inngest {
    fn new(seed: u64) -> Self {
        let random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        Self(Arc::new(Mutex::new(State { random, trouble: true, accepted: BTreeSet::new() })))
    }

    /// Takes `events`, and says so or does not.
    fn take(&self, events: &[OutgoingEvent]) -> Result<(), SendError> {
        let mut state = self.0.lock().unwrap();
        let away = SendError::Retriable { reason: "connection reset".into(), retry_after: None };
        let dice = if state.trouble { state.roll(6) } else { 5 };
        let taken = match dice {
            0 => 0,
            1 => events.len() / 2,
            _ => events.len(),
        };
        for event in &events[..taken] {
            let data: serde_json::Value = serde_json::from_str(event.data.get()).unwrap();
            state.accepted.insert((event.id.clone(), data["leadId"].as_u64().unwrap()));
        }
        match dice {
            0 | 2 => Err(away),
            1 => Err(SendError::Refused { accepted: taken, reason: "too large".into() }),
            _ => Ok(()),
        }
    }
}

impl State {
    fn roll(&mut self, sides: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % sides
    }
}

impl EventSink for Inngest {
    async fn send(&self, events: &[OutgoingEvent]) -> Result<(), SendError> {
        // Await points before and after what Inngest does, where a crash can strike.
        tokio::task::yield_now().await;
        let taken = self.take(events);
        tokio::task::yield_now().await;
        taken
    }
}

fn forwarder(inbox: &Inbox, sink: &Inngest) -> Forwarder<Inngest> {
    Forwarder {
        inbox: inbox.clone(),
        sink: sink.clone(),
        metrics: Metrics::new(),
        pace: Pace {
            poll: Duration::from_millis(5),
            first_retry: Duration::from_millis(1),
            longest_retry: Duration::from_millis(2),
        },
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_webhook_answered_200_reaches_inngest_whatever_is_killed() {
    let database = Database::new().await;
    let clock = clock();
    let inbox = Inbox::new(database.open(clock.clone()).await);
    let intake = Intake {
        inbox: inbox.clone(),
        secrets: Vec::new(),
        filter: LeadFilter::default(),
        metrics: Metrics::new(),
    };
    let (mut schedules, mut lead) = (0, 0);
    for seed in 0..60 * crash_rounds() as u64 {
        let inngest = Inngest::new(seed);
        let mut promised = BTreeSet::new();
        for point in 0..8 {
            let leads = [lead + 1, lead + 2, lead + 3];
            lead += 3;
            let body = leads
                .iter()
                .enumerate()
                .map(|(n, id)| {
                    format!("leads[status][{n}][id]={id}&leads[status][{n}][status_id]=1&")
                })
                .collect::<String>()
                + "account[id]=1";
            let taken = crash_after(point, intake.accept(None, None, body.as_bytes())).await;
            if taken.is_some_and(|answer| answer.status == StatusCode::OK) {
                promised.extend(leads);
            }
            let running = forwarder(&inbox, &inngest).run(CancellationToken::new());
            let waits = inngest.0.lock().unwrap().roll(40) as usize;
            let _ = crash_after(waits, running).await;
            // The next process finds the rows that this one has claimed.
            clock.advance(CLAIM + Duration::from_secs(1));
            schedules += 1;
        }
        inngest.0.lock().unwrap().trouble = false;
        let parked = drain(&inbox, &inngest).await;
        let accepted = inngest.0.lock().unwrap().accepted.clone();
        let arrived: BTreeSet<_> = accepted.iter().map(|(_, lead)| *lead).collect();
        let visible: BTreeSet<_> = arrived.union(&parked).copied().collect();
        let lost: Vec<_> = promised.difference(&visible).collect();
        assert!(lost.is_empty(), "seed {seed}: {lost:?} are lost");
        assert_eq!(accepted.len(), arrived.len(), "seed {seed}: a lead came under two ids");
    }
    println!("intake and forwarder: {schedules} schedules");
}

/// Runs a forwarder in peace, and returns what was parked.
async fn drain(inbox: &Inbox, inngest: &Inngest) -> BTreeSet<u64> {
    let stop = CancellationToken::new();
    let running = tokio::spawn(forwarder(inbox, inngest).run(stop.clone()));
    eventually("nothing waits", async || {
        (inbox.counts().await.unwrap().waiting == 0).then_some(())
    })
    .await;
    stop.cancel();
    running.await.unwrap();
    let parked = inbox.parked(100_000).await.unwrap();
    parked.into_iter().map(|row| row.lead_id as u64).collect()
}
