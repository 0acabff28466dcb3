//! `deals`: what a person sees of what is not done, and what a person can do about it.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::Bytes;
use clap::Parser as _;
use functions::ports::{DealKey, Erp as _, FailedDeal, ResentEvent, WaitsFor};
use functions::webhook::leads_in_event;
use http::{Request, Response};
use inngest::{Client, Settings, Transport, TransportFuture};
use sandbox::{ManualClock, eventually};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::Deals;
use crate::clock::SystemClock;
use crate::config::EnvMap;
use crate::db::Db;
use crate::deals::{self, Ledger, Rules, UnfinishedDeal};
use crate::heartbeat::Heartbeats;
use crate::inbox::{Forwarder, HeldRow, Inbox, Pace};
use crate::metrics::Metrics;
use crate::registration::Gate;

/// The command line, of which only this command is looked at.
#[derive(clap::Parser)]
struct Line {
    #[command(flatten)]
    deals: Deals,
}

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
    env: EnvMap,
    store: Db,
    inbox: Inbox,
    _folder: TempDir,
}

impl Desk {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/flow.db", folder.path().display());
        let clock = Arc::new(ManualClock::new("2026-11-22T10:00:00Z".parse().unwrap()));
        let store = Db::open(&url, clock).await.unwrap();
        let env = EnvMap::from([("INNGEST_DEV", "1"), ("DATABASE_URL", url.as_str())]);
        let inbox = Inbox::new(store.clone(), Rules::default());
        Self { env, inbox, store, _folder: folder }
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
            gate: Gate::open(),
            pace: Pace {
                poll: Duration::from_secs(60),
                first_retry: Duration::from_millis(1),
                longest_retry: Duration::ZERO,
            },
        };
        let stop = CancellationToken::new();
        tokio::spawn(
            forwarder.run(Heartbeats::new(Arc::new(SystemClock)).of("forwarder"), stop.clone()),
        );
        stop.drop_guard()
    }

    /// The event of a lead that came in and that Inngest refuses.
    async fn refused(&self, lead: u64) -> String {
        let event = self.lead(lead).await;
        let refusal = r#"{"ids":[""],"status":400,"error":"event name is empty"}"#;
        let _running = self.inngest_answers(400, refusal, 1).await;
        eventually("it is given up", async || {
            self.needing_a_person().await.contains(&(lead as i64)).then_some(())
        })
        .await;
        event
    }

    async fn held(&self, lead: u64, times: usize) -> HeldRow {
        self.lead(lead).await;
        let _running = self.inngest_answers(404, "<html>", times).await;
        eventually("it was tried", async || {
            let held = self.inbox.held(9).await.unwrap();
            held.into_iter().find(|row| row.attempts == times as i64)
        })
        .await
    }

    async fn unfinished(&self) -> Vec<UnfinishedDeal> {
        deals::unfinished(&self.store, 9).await.unwrap()
    }

    async fn needing_a_person(&self) -> Vec<i64> {
        let deals = self.unfinished().await.into_iter();
        let deals = deals.filter(|deal| deal.waits_for == Some(WaitsFor::Person));
        deals.filter_map(|deal| deal.lead_id).collect()
    }

    /// A run of the deal of this lead has failed.
    async fn fails(&self, lead_id: u64, reason: &str, waits_for: WaitsFor) {
        let clock = Arc::new(ManualClock::new("2026-11-22T10:00:00Z".parse().unwrap()));
        let ledger = Ledger::new(self.store.clone(), None, Rules::default(), clock);
        let delivery_id = "01EVENT".to_owned();
        let failure = FailedDeal {
            key: DealKey::Lead { account_id: None, lead_id, delivery_id },
            run_id: "01RUN".to_owned(),
            reason: reason.to_owned(),
            waits_for: Some(waits_for),
            event: Some(ResentEvent { name: "amocrm/webhook", data: json!({ "leadId": lead_id }) }),
        };
        ledger.note_failure(&failure).await.unwrap();
    }

    /// Runs `deals`: whether it succeeded, and what it said.
    async fn deals(&self, arguments: &[&str]) -> (bool, String) {
        let line = match Line::try_parse_from(["deals"].iter().chain(arguments)) {
            Ok(line) => line,
            Err(error) => return (false, error.to_string()),
        };
        let mut out = Vec::new();
        let done = line.deals.run(&self.env, &mut out).await;
        let error = done.as_ref().err().map(|error| format!("{error:#}")).unwrap_or_default();
        (done.is_ok(), String::from_utf8(out).unwrap() + &error)
    }
}

#[tokio::test]
async fn where_all_is_done_it_says_so() {
    let desk = Desk::new().await;
    assert_eq!(desk.deals(&[]).await, (true, "every deal is done\n".to_owned()));
}

#[tokio::test]
async fn every_deal_that_is_not_done_is_listed_with_what_happens_next_or_what_to_do() {
    let desk = Desk::new().await;
    let refused = desk.refused(7).await;
    let held = desk.held(8, 3).await;
    desk.fails(9, "the ERP refused it", WaitsFor::Person).await;
    desk.fails(10, "the ERP could not take it", WaitsFor::Erp).await;
    let waiting = desk.lead(11).await;
    desk.inbox.store_unparsable(b"?", "no webhook").await.unwrap();
    let [unreadable] = desk.inbox.unreadable(9).await.unwrap().try_into().unwrap();
    let expected = format!(
        "lead:7  failed  2026-11-22T10:00:00Z\n    \
             Inngest refuses the event (HTTP 400): event name is empty\n    \
             -> needs you: mend the cause, then run: prometei-flow deals retry --lead 7; or, if it shall have no record: \
             prometei-flow deals dismiss --lead 7 --why TEXT\n\
         lead:9  failed  2026-11-22T10:00:00Z  run 01RUN\n    \
             the ERP refused it\n    \
             -> needs you: mend the cause, then run: prometei-flow deals retry --lead 9; or, if it shall have no record: \
             prometei-flow deals dismiss --lead 9 --why TEXT\n\
         lead:10  failed  2026-11-22T10:00:00Z  run 01RUN\n    \
             the ERP could not take it\n    \
             -> waits for the ERP, and goes on by itself once that is there\n\
         lead:11  waiting  2026-11-22T10:00:00Z\n    \
             -> a running service sends it to Inngest at once\n\
         lead:8  waiting  2026-11-22T10:00:00Z\n    \
             {}\n    \
             -> waits for Inngest, tried 3 times; a running service tries about once a minute\n\
         webhooks of the last 30 days that could not be read, or not all of them: 1\n\
         {}  2026-11-22T10:00:00Z  1 bytes\n    \
             no webhook\n    \
             -> the bodies are in the table webhook_bodies, by these ids; a lead that one names and that has no record: \
             move it into its stage once more\n",
        held.reason, unreadable.id
    );
    assert!(held.reason.contains("HTTP 404 Not Found"), "{held:?}");
    for arguments in [&[][..], &["list"]] {
        assert_eq!(desk.deals(arguments).await, (true, expected.clone()));
    }
    let (_, said) = desk.deals(&["--json"]).await;
    let report: Value = serde_json::from_str(&said).unwrap();
    let events: Vec<_> =
        report["items"].as_array().unwrap().iter().map(|item| &item["event"]).collect();
    assert_eq!(
        events,
        [&json!(refused), &Value::Null, &Value::Null, &json!(waiting), &json!(held.id)]
    );
}

#[tokio::test]
async fn a_program_can_read_the_list() {
    let desk = Desk::new().await;
    let event = desk.lead(7).await;
    desk.fails(9, "the ERP refused it", WaitsFor::Person).await;
    desk.inbox.store_unparsable(b"?", "no webhook").await.unwrap();
    let [unreadable] = desk.inbox.unreadable(9).await.unwrap().try_into().unwrap();
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
                    {"state": "failed", "key": "lead:9", "lead": 9, "run": "01RUN", "since": "2026-11-22T10:00:00Z",
                     "needs_person": true, "waits_for": "you", "reason": "the ERP refused it", "next": null},
                    {"state": "waiting", "key": "lead:7", "lead": 7, "event": event,
                     "since": "2026-11-22T10:00:00Z", "needs_person": false, "next": null},
                ],
                "complete": true,
                "unreadable_webhooks": 1,
                "unreadable": [
                    {"id": unreadable.id, "since": "2026-11-22T10:00:00Z", "bytes": 1, "problem": "no webhook"},
                ],
            })
        );
    }
}

#[tokio::test]
async fn what_needs_a_person_goes_again_when_the_person_says_so() {
    let desk = Desk::new().await;
    for lead in [7, 8, 9] {
        desk.refused(lead).await;
    }
    let is_due = "is due: a running service sends it within half a minute\n";
    let (done, said) = desk.deals(&["retry", "--lead", "7"]).await;
    assert!(done && said == format!("lead:7 {is_due}"), "{said}");
    assert_eq!(desk.needing_a_person().await, [8, 9]);

    let (done, said) = desk.deals(&["retry", "--all"]).await;
    assert!(done && said.contains(&format!("lead:8 {is_due}lead:9 {is_due}")), "{said}");
    assert!(desk.needing_a_person().await.is_empty());
    assert!(desk.unfinished().await.iter().all(|deal| deal.due_at.is_some()));
}

#[tokio::test]
async fn a_dismissed_deal_is_over_until_it_is_asked_for_again() {
    let desk = Desk::new().await;
    desk.fails(9, "the ERP refused it", WaitsFor::Person).await;
    desk.lead(7).await;
    for lead in ["7", "9"] {
        let (done, said) = desk.deals(&["dismiss", "--lead", lead, "--why", "a test"]).await;
        assert!(done && said.starts_with(&format!("lead:{lead} is dismissed")), "{said}");
    }
    assert_eq!(desk.deals(&[]).await.1, "every deal is done\n");
    assert_eq!(desk.inbox.counts().await.unwrap().waiting, 0, "its event is gone too");
    assert!(desk.deals(&["retry", "--lead", "9"]).await.0);
    assert_eq!(desk.unfinished().await[0].key, "lead:9");
    let event = desk.lead(7).await;
    let reported = desk.unfinished().await.into_iter().find(|deal| deal.key == "lead:7");
    assert_eq!(reported.unwrap().event_id, Some(event), "reported anew");
}

#[tokio::test]
async fn a_resolved_deal_has_its_record_or_goes_again() {
    let desk = Desk::new().await;
    for (lead, found, said) in [
        (8, &["--erp-id", "119"][..], "lead:8 has record 119"),
        (9, &["--absent"], "lead:9 is due: "),
    ] {
        desk.fails(lead, "it is unknown", WaitsFor::Person).await;
        let lead = lead.to_string();
        let arguments = [&["resolve", "--lead", lead.as_str()][..], found].concat();
        let (done, text) = desk.deals(&arguments).await;
        assert!(done && text.starts_with(said), "{text}");
    }
    let deal = desk.unfinished().await.remove(0);
    assert!(deal.key == "lead:9" && deal.due_at.is_some(), "{deal:?}");
}

#[tokio::test]
async fn a_decision_says_when_it_changed_nothing() {
    let desk = Desk::new().await;
    desk.lead(8).await;
    for arguments in [
        &["retry", "--lead", "5"][..],
        &["retry", "--lead", "8"],
        &["dismiss", "--lead", "5", "--why", "a test"],
        &["resolve", "--lead", "5", "--absent"],
    ] {
        let (done, said) = desk.deals(arguments).await;
        assert!(!done && said.contains("nothing was changed"), "{arguments:?}: {said}");
    }
    for arguments in [
        &["retry"][..],
        &["retry", "--all", "--lead", "5"],
        &["dismiss", "--lead", "5"],
        &["dismiss", "--why", "a test"],
        &["resolve", "--absent"],
        &["--json", "retry"],
    ] {
        assert!(!desk.deals(arguments).await.0, "{arguments:?}");
    }
}
