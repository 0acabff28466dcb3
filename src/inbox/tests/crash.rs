//! Intake and forwarder: a webhook that was answered 200 reaches Inngest, whatever is killed and refused on the way.

use std::collections::BTreeSet;
use std::time::Duration;

use functions::webhook::LeadFilter;
use http::{Request, StatusCode};
use sandbox::{crash_after, crash_rounds};
use tokio_util::sync::CancellationToken;

use super::inngest::{Inngest, answer, away, official};
use super::{clock, eventually, heartbeat, refused};
use crate::db::testing::Database;
use crate::deals::Rules;
use crate::inbox::rows::CLAIM;
use crate::inbox::{Forwarder, Inbox, Intake, Pace};
use crate::metrics::Metrics;
use crate::registration::Gate;

/// What happens, as a seed decides.
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

/// An Inngest that accepts events, and answers or does not.
fn misbehaving(seed: u64) -> Inngest {
    let (inngest, mut dice) = (Inngest::new(), Dice::new(seed));
    inngest.answers(move |leads| match dice.roll(6) {
        0 => away(),
        1 => official(leads, leads.get(leads.len() / 2).copied()),
        // They are taken, and the answer is lost.
        2 => answer(404, official(leads, None).into_body()),
        _ => official(leads, None),
    });
    inngest
}

fn forwarder(inbox: &Inbox, inngest: &Inngest) -> Forwarder {
    Forwarder {
        inbox: inbox.clone(),
        inngest: inngest.client(),
        metrics: Metrics::new(),
        gate: Gate::open(),
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
    let inbox = Inbox::new(database.open(clock.clone()).await, Rules::default());
    let (filter, metrics) = (LeadFilter::default(), Metrics::new());
    let intake = Intake::new(inbox.clone(), Vec::new(), filter, metrics);
    let (mut schedules, mut lead) = (0, 0);
    for seed in 0..60 * crash_rounds() as u64 {
        let (inngest, mut dice) = (misbehaving(seed), Dice::new(!seed));
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
            let request = Request::post("/api/amocrm-webhook").body(body.into()).unwrap();
            let taken = crash_after(point, intake.receive(request)).await;
            if taken.is_some_and(|answer| answer.status() == StatusCode::OK) {
                promised.extend(leads);
            }
            let running = forwarder(&inbox, &inngest).run(heartbeat(), CancellationToken::new());
            let waits = dice.roll(40) as usize;
            let _ = crash_after(waits, running).await;
            // The next process finds the rows that this one has claimed.
            clock.advance(CLAIM + Duration::from_secs(1));
            schedules += 1;
        }
        inngest.answers(|leads| official(leads, None));
        let given_up = drain(&inbox, &inngest).await;
        let accepted: BTreeSet<_> = inngest.accepted().into_iter().collect();
        let arrived: BTreeSet<_> = accepted.iter().map(|(_, lead)| *lead).collect();
        let visible: BTreeSet<_> = arrived.union(&given_up).copied().collect();
        let lost: Vec<_> = promised.difference(&visible).collect();
        assert!(lost.is_empty(), "seed {seed}: {lost:?} are lost");
        assert_eq!(accepted.len(), arrived.len(), "seed {seed}: a lead came under two ids");
    }
    println!("intake and forwarder: {schedules} schedules");
}

/// Runs a forwarder without failures, and returns the leads whose events were refused for good.
async fn drain(inbox: &Inbox, inngest: &Inngest) -> BTreeSet<u64> {
    let stop = CancellationToken::new();
    let running = tokio::spawn(forwarder(inbox, inngest).run(heartbeat(), stop.clone()));
    eventually("nothing waits", async || {
        (inbox.counts().await.unwrap().waiting == 0).then_some(())
    })
    .await;
    stop.cancel();
    running.await.unwrap();
    refused(inbox).await.into_iter().map(|(lead, _)| lead as u64).collect()
}
