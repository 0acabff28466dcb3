//! `deals`: what a person sees of what is not done, and what a person can do about it.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use bytes::Bytes;
use functions::ports::{DealKey, Erp as _};
use functions::webhook::leads_in_event;
use http::{Request, Response};
use inngest::{Client, Settings, Transport, TransportFuture};
use prometei_flow::clock::SystemClock;
use prometei_flow::db::Db;
use prometei_flow::deals::{Dedupe, Ledger};
use prometei_flow::heartbeat::Heartbeats;
use prometei_flow::inbox::{Forwarder, HeldRow, Inbox, Pace};
use prometei_flow::metrics::Metrics;
use sandbox::ManualClock;
use serde_json::{Value, json};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::world::{Begin as _, World, eventually, given};

/// Inngest, which answers so many requests, all in the same way, and no more.
struct Inngest {
    answer: (u16, &'static str),
    times: AtomicUsize,
}

impl Transport for Inngest {
    fn send(&self, _: Request<Bytes>) -> TransportFuture<'_> {
        let (status, body) = self.answer;
        let answers = self.times.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok();
        Box::pin(async move {
            if !answers {
                std::future::pending::<()>().await;
            }
            Ok(Response::builder().status(status).body(body.into()).unwrap())
        })
    }
}

struct Desk {
    world: World<()>,
    store: Db,
    inbox: Inbox,
}

impl Desk {
    async fn new() -> Self {
        let world = given().unserved().await;
        let clock = Arc::new(ManualClock::new("2026-11-22T10:00:00Z".parse().unwrap()));
        let store = Db::open(&world.variables["DATABASE_URL"], clock).await.unwrap();
        Self { world, inbox: Inbox::new(store.clone()), store }
    }

    /// The event of a lead that came in.
    async fn lead(&self, lead_id: u64) -> String {
        let data = [("leadId".to_owned(), json!(lead_id))].into_iter().collect();
        let leads = leads_in_event(&data, &Default::default()).unwrap();
        self.inbox.store(b"body", &leads, None).await.unwrap().remove(0)
    }

    /// What Inngest answers to all that is due.
    async fn inngest_answers(&self, status: u16, body: &'static str, times: usize) -> DropGuard {
        let inngest = Inngest { answer: (status, body), times: times.into() };
        let forwarder = Forwarder {
            inbox: self.inbox.clone(),
            inngest: Client::new(Settings::dev(), inngest),
            metrics: Metrics::new(),
            pace: Pace {
                poll: Duration::from_secs(60),
                first_retry: Duration::from_millis(1),
                longest_retry: Duration::ZERO,
            },
        };
        let stop = CancellationToken::new();
        tokio::spawn(forwarder.run(Heartbeats::new(Instant::now).of("forwarder"), stop.clone()));
        stop.drop_guard()
    }

    async fn parked(&self, lead: u64) -> String {
        let event = self.lead(lead).await;
        let refusal = r#"{"ids":[""],"status":400,"error":"event name is empty"}"#;
        let _running = self.inngest_answers(400, refusal, 1).await;
        eventually("it is parked", async || {
            let parked = self.inbox.parked(9).await.unwrap();
            parked.iter().any(|row| row.id == event).then_some(())
        })
        .await;
        event
    }

    async fn held(&self, lead: u64, times: usize) -> HeldRow {
        self.lead(lead).await;
        let _running = self.inngest_answers(404, "<html>", times).await;
        eventually("it was tried", async || {
            let held = self.inbox.held(Some(lead), 1).await.unwrap().pop();
            held.filter(|row| row.attempts == times as i64)
        })
        .await
    }

    async fn due(&self) -> i64 {
        self.inbox.counts().await.unwrap().waiting
    }

    async fn given_up(&self) -> Vec<i64> {
        self.inbox.parked(9).await.unwrap().iter().map(|row| row.lead_id).collect()
    }

    /// Runs `deals`: whether it succeeded, and what it said.
    async fn deals(&self, arguments: &[&str]) -> (bool, String) {
        let arguments: Vec<_> = ["deals"].iter().chain(arguments).copied().collect();
        let said = self.world.command(&arguments).await;
        (said.code == Some(0), said.out + &said.err)
    }
}

#[tokio::test]
async fn where_all_is_done_it_says_so() {
    let desk = Desk::new().await;
    desk.lead(1).await;
    assert_eq!(desk.deals(&[]).await, (true, "no deal needs a person\n".to_owned()));
}

#[tokio::test]
async fn every_lead_that_did_not_get_on_is_listed_with_the_reason_and_what_to_do() {
    let desk = Desk::new().await;
    let (parked, held) = (desk.parked(7).await, desk.held(8, 3).await);
    let ledger = Ledger::new(desk.store.clone(), None, Dedupe::Lead, Arc::new(SystemClock));
    let nine = DealKey::Lead { account_id: None, lead_id: 9 };
    ledger.note_failure(&nine, "01RUN", "the ERP refused it").await.unwrap();
    desk.inbox.store_unparsable(b"?", "no webhook").await.unwrap();
    let expected = format!(
        "lead:7  parked  2026-11-22T10:00:00Z  event {parked}\n    \
             Inngest refuses the event (HTTP 400): event name is empty\n    \
             -> it was given up and has no record; mend the cause, then: prometei-flow deals retry --lead 7\n\
         lead:8  waits for Inngest  2026-11-22T10:00:00Z  event {}\n    \
             {} (tried 3 times)\n    \
             -> it goes again by itself, once a minute or so while the service runs\n\
         lead:9  failed  2026-11-22T10:00:00Z  run 01RUN\n    \
             the ERP refused it\n    \
             -> mend the cause, then replay the run in Inngest\n\
         webhooks that could not be read, or not all of them: 1; see the table webhook_bodies, column problem\n",
        held.id, held.reason
    );
    assert!(held.reason.contains("HTTP 404 Not Found"), "{held:?}");
    for arguments in [&[][..], &["list"]] {
        assert_eq!(desk.deals(arguments).await, (true, expected.clone()));
    }
}

#[tokio::test]
async fn a_program_can_read_the_list() {
    let desk = Desk::new().await;
    let (parked, held) = (desk.parked(7).await, desk.held(8, 3).await);
    for arguments in [&["--json"][..], &["list", "--json"]] {
        let (_, said) = desk.deals(arguments).await;
        let mut report: Value = serde_json::from_str(&said).unwrap();
        for item in report["items"].as_array_mut().unwrap() {
            assert!(item["next"].take().as_str().is_some_and(|next| !next.is_empty()));
        }
        assert_eq!(
            report,
            json!({
                "items": [
                    {"state": "parked", "key": "lead:7", "lead": 7, "event": parked, "since": "2026-11-22T10:00:00Z",
                     "reason": "Inngest refuses the event (HTTP 400): event name is empty", "next": null},
                    {"state": "waits for Inngest", "key": "lead:8", "lead": 8, "event": held.id, "tried": 3,
                     "since": "2026-11-22T10:00:00Z", "reason": held.reason, "next": null},
                ],
                "complete": true,
                "unreadable_webhooks": 0,
            })
        );
    }
}

#[tokio::test]
async fn what_was_given_up_goes_again_when_a_person_says_so() {
    let desk = Desk::new().await;
    for lead in [7, 8, 9] {
        desk.parked(lead).await;
    }
    let (done, said) = desk.deals(&["retry", "--lead", "7"]).await;
    assert!(done && said.starts_with("lead 7: 1 event is due again"), "{said}");
    assert_eq!((desk.due().await, desk.given_up().await), (1, vec![9, 8]));

    let (done, said) = desk.deals(&["retry", "--all"]).await;
    assert!(done && said.starts_with("2 events are due again"), "{said}");
    assert_eq!((desk.due().await, desk.given_up().await), (3, vec![]));
    assert_eq!(desk.deals(&["retry", "--all"]).await, (true, "nothing was given up\n".to_owned()));
}

#[tokio::test]
async fn a_retry_says_what_it_could_not_do() {
    let desk = Desk::new().await;
    desk.held(8, 3).await;
    let (done, said) = desk.deals(&["retry", "--lead", "8"]).await;
    let expected = "lead 8: was not given up, was tried 3 times and goes again by itself: ";
    assert!(done && said.starts_with(expected) && said.contains("HTTP 404"), "{said}");

    let (done, said) = desk.deals(&["retry", "--lead", "5"]).await;
    assert!(!done && said.contains("nothing was changed: lead 5"), "{said}");
    for arguments in [&["retry"][..], &["retry", "--all", "--lead", "5"], &["--json", "retry"]] {
        assert!(!desk.deals(arguments).await.0, "{arguments:?}");
    }
}
