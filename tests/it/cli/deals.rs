//! `deals`: what a person sees of what is not done, and what a person can do about it.

use std::sync::Arc;

use functions::ports::{DealKey, Erp as _};
use prometei_flow::clock::SystemClock;
use prometei_flow::db::Db;
use prometei_flow::deals::{Dedupe, Ledger};
use sandbox::ManualClock;
use serde_json::{Value, json};

use crate::inbox::moved;
use crate::world::{Begin as _, World, given};

struct Desk {
    world: World<()>,
    store: Db,
}

impl Desk {
    async fn new() -> Self {
        let world = given().unserved().await;
        let clock = Arc::new(ManualClock::new("2026-11-22T10:00:00Z".parse().unwrap()));
        let store = Db::open(&world.variables["DATABASE_URL"], clock).await.unwrap();
        Self { world, store }
    }

    /// The event of a lead that came in.
    async fn lead(&self, lead_id: u64) -> String {
        self.store.accept_webhook(b"body", &[moved(lead_id)], None).await.unwrap().remove(0)
    }

    async fn parked(&self, lead: u64) -> String {
        let event = self.lead(lead).await;
        let reason = "Inngest refuses the event (HTTP 400): event name is empty";
        self.store.park(&event, reason).await.unwrap();
        event
    }

    async fn held(&self, lead: u64, times: usize) -> String {
        let event = self.lead(lead).await;
        for _ in 0..times {
            self.store.record_failure(&[&event], "HTTP 404 Not Found; check it").await.unwrap();
        }
        event
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
    desk.store.store_unparsable(b"?", "no webhook").await.unwrap();
    let expected = format!(
        "lead:7  parked  2026-11-22T10:00:00Z  event {parked}\n    \
             Inngest refuses the event (HTTP 400): event name is empty\n    \
             -> it was given up and has no record; mend the cause, then: prometei-flow deals retry --lead 7\n\
         lead:8  waits for Inngest  2026-11-22T10:00:00Z  event {held}\n    \
             HTTP 404 Not Found; check it (tried 3 times)\n    \
             -> it goes again by itself, once a minute or so while the service runs\n\
         lead:9  failed  2026-11-22T10:00:00Z  run 01RUN\n    \
             the ERP refused it\n    \
             -> mend the cause, then replay the run in Inngest\n\
         webhooks that could not be read, or not all of them: 1; see the table webhook_bodies, column problem\n"
    );
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
                    {"state": "waits for Inngest", "key": "lead:8", "lead": 8, "event": held, "tried": 3,
                     "since": "2026-11-22T10:00:00Z", "reason": "HTTP 404 Not Found; check it", "next": null},
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
    let due = desk.store.claim_batch(9).await.unwrap();
    assert_eq!(due.iter().map(|row| row.lead_id).collect::<Vec<_>>(), [7]);

    let (done, said) = desk.deals(&["retry", "--all"]).await;
    assert!(done && said.starts_with("2 events are due again"), "{said}");
    let due = desk.store.claim_batch(9).await.unwrap();
    assert_eq!(due.iter().map(|row| row.lead_id).collect::<Vec<_>>(), [8, 9]);
    assert_eq!(desk.deals(&["retry", "--all"]).await, (true, "nothing was given up\n".to_owned()));
}

#[tokio::test]
async fn a_retry_says_what_it_could_not_do() {
    let desk = Desk::new().await;
    desk.held(8, 3).await;
    let (done, said) = desk.deals(&["retry", "--lead", "8"]).await;
    let expected = "lead 8: was not given up, was tried 3 times and goes again by itself: HTTP 404";
    assert!(done && said.starts_with(expected), "{said}");

    let (done, said) = desk.deals(&["retry", "--lead", "5"]).await;
    assert!(!done && said.contains("nothing was changed: lead 5"), "{said}");
    for arguments in [&["retry"][..], &["retry", "--all", "--lead", "5"], &["--json", "retry"]] {
        assert!(!desk.deals(arguments).await.0, "{arguments:?}");
    }
}
