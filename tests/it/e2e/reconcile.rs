//! Leads that no webhook reported are found in amoCRM's event feed, once, and nothing else is.

use std::sync::Arc;
use std::time::Duration;

use sandbox::{AmoCrmFailure, ManualClock};
use serde_json::{Value, json};

use crate::world::{Begin as _, World, given};

const OURS: (u64, u64) = (9_679_730, 77_186_758);
const OTHER: (u64, u64) = (9_679_730, 142);
const MOVED: &str = "lead_status_changed";
const ADDED: &str = "lead_added";
const RESTORED: &str = "lead_restored";
const MINUTE: Duration = Duration::from_secs(60);

struct Account {
    world: World,
    clock: Arc<ManualClock>,
    inngest: inngest_dev_server::ManualClock,
}

/// Inngest's clock: a second after the schedule's moment, so that the next one comes when a test says so.
fn inngest_clock() -> inngest_dev_server::ManualClock {
    let clock = inngest_dev_server::ManualClock::new(1_795_348_801_000);
    let (ticking, tick) = (clock.clone(), Duration::from_millis(10));
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(tick).await;
            ticking.advance(tick);
        }
    });
    clock
}

impl Account {
    /// Reconciliation was switched on just now.
    async fn new() -> Self {
        Self::begin(async |world: sandbox::World| world.end_to_end().await).await
    }

    /// The same with an Inngest whose clock can be moved.
    async fn with_embedded_inngest() -> Self {
        Self::begin(async |world: sandbox::World| world.in_process().await).await
    }

    async fn begin(begin: impl AsyncFn(sandbox::World) -> World) -> Self {
        let clock = Arc::new(ManualClock::new("2026-11-22T12:00:00Z".parse().unwrap()));
        let inngest = inngest_clock();
        let world = given()
            .variable("AMOCRM_TRIGGER_STATUSES", "9679730:77186758")
            .clock(Arc::clone(&clock))
            .inngest(|server| server.clock(inngest.clone()));
        let account = Self { world: begin(world).await, clock, inngest };
        assert_eq!(account.missed().await, json!([]));
        account
    }

    /// A lead does something now.
    fn happens(&self, kind: &str, lead_id: u64, stage: Option<(u64, u64)>) {
        let now = self.clock.shows().as_second();
        self.world.amocrm.add_event(kind, lead_id, now, stage);
    }

    /// A lead enters our stage now.
    fn moves(&self, lead_id: u64) {
        self.world.amocrm.set_lead(lead_id, format!("Lead {lead_id}").as_str(), 1);
        self.happens(MOVED, lead_id, Some(OURS));
    }

    async fn run(&self) -> Value {
        let run = self.world.run_of("prometei-flow/reconcile", json!({})).await;
        assert_eq!(run.status, "Completed", "{}", run.output);
        run.output
    }

    async fn missed(&self) -> Value {
        self.run().await["missed"].take()
    }
}

#[tokio::test]
async fn a_lead_that_no_webhook_reported_gets_its_record_once() {
    let account = Account::new().await;
    account.moves(1);
    account.clock.advance(5 * MINUTE);
    assert_eq!(account.missed().await, json!([1]));
    assert_eq!(account.world.records(1).await, [(json!("Lead 1"), json!(1))]);
    for _ in 0..2 {
        assert_eq!(account.missed().await, json!([]));
        account.clock.advance(5 * MINUTE);
    }
    assert_eq!(account.world.erp.rows().len(), 1);
    account.world.end().await;
}

#[tokio::test]
async fn every_five_minutes_the_feed_is_read() {
    let account = Account::with_embedded_inngest().await;
    for lead in 1..=2 {
        account.moves(lead);
        account.clock.advance(5 * MINUTE);
        account.inngest.advance(5 * MINUTE);
        account.world.records(usize::try_from(lead).unwrap()).await;
    }
    account.world.end().await;
}

#[tokio::test]
async fn a_lead_that_a_webhook_reported_is_left_alone() {
    let account = Account::new().await;
    account.moves(45_721_053);
    account.world.webhook(45_721_053).await;
    account.clock.advance(5 * MINUTE);
    assert_eq!(account.missed().await, json!([]));
    account.world.records(1).await;
    account.world.end().await;
}

#[tokio::test]
async fn a_lead_that_has_its_record_is_not_missed_when_it_comes_back() {
    let account = Account::new().await;
    account.moves(45_721_053);
    account.world.webhook(45_721_053).await;
    account.world.records(1).await;
    account.clock.advance(60 * MINUTE);
    account.moves(45_721_053);
    account.clock.advance(5 * MINUTE);
    assert_eq!(account.missed().await, json!([]));
    account.world.records(1).await;
    account.world.end().await;
}

#[tokio::test]
async fn what_happened_before_it_was_switched_on_is_ignored() {
    let account = Account::new().await;
    let earlier = account.clock.shows().as_second() - 60;
    account.world.amocrm.add_event(MOVED, 1, earlier, Some(OURS));
    account.clock.advance(25 * 60 * MINUTE);
    assert_eq!(account.missed().await, json!([]));
    account.world.end().await;
}

#[tokio::test]
async fn a_webhook_is_given_time_before_its_lead_counts_as_missed() {
    let account = Account::new().await;
    account.clock.advance(5 * MINUTE);
    account.moves(1);
    account.clock.advance(MINUTE);
    assert_eq!(account.missed().await, json!([]));
    account.clock.advance(MINUTE);
    assert_eq!(account.missed().await, json!([1]));
    account.world.end().await;
}

#[tokio::test]
async fn other_stages_are_ignored_and_new_leads_are_read_for_their_stage() {
    let account = Account::new().await;
    account.happens(MOVED, 1, Some(OTHER));
    let lead = |(pipeline, status): (u64, u64), id: u64| json!({"id": id, "name": "New", "price": 5, "pipeline_id": pipeline, "status_id": status});
    account.world.amocrm.set_lead_json(2, lead(OURS, 2));
    account.happens(ADDED, 2, None);
    account.world.amocrm.set_lead_json(3, lead(OTHER, 3));
    account.happens(ADDED, 3, None);
    account.happens(RESTORED, 4, None);
    account.happens("lead_deleted", 5, None);
    account.clock.advance(5 * MINUTE);
    assert_eq!(account.missed().await, json!([2]));
    // The calls of one second are counted on this clock, too.
    account.clock.advance(MINUTE);
    account.world.records(1).await;

    let asked = account.world.amocrm.api_calls();
    assert_eq!(account.missed().await, json!([]));
    assert_eq!(
        account.world.amocrm.api_calls(),
        asked + 3,
        "two lists, and the lead that may yet appear"
    );
    account.world.end().await;
}

#[tokio::test]
async fn every_page_is_read_and_filters_that_do_nothing_do_no_harm() {
    let account = Account::new().await;
    account.moves(7);
    for n in 0..230 {
        account.clock.advance(Duration::from_secs(1));
        account.happens(MOVED, 1000 + n, Some(OTHER));
    }
    account.moves(8);
    account.world.amocrm.ignore_event_filters();
    account.clock.advance(5 * MINUTE);
    let output = account.run().await;
    // The newest come first.
    assert_eq!((&output["missed"], &output["events"]), (&json!([8, 7]), &json!(232)));
    account.world.records(2).await;
    account.world.end().await;
}

#[tokio::test]
async fn what_the_feed_shows_late_is_found_by_the_daily_look_back() {
    let account = Account::new().await;
    let late = account.clock.shows().as_second() + 60;
    // Every run but the first is behind by at most six hours, so the day is walked through first.
    for _ in 0..4 {
        account.clock.advance(5 * 60 * MINUTE);
        assert_eq!(account.missed().await, json!([]));
    }
    account.world.amocrm.set_lead(1, "Late", 1);
    account.world.amocrm.add_event(MOVED, 1, late, Some(OURS));
    account.clock.advance(3 * 60 * MINUTE);
    assert_eq!(account.missed().await, json!([]));
    account.clock.advance(60 * MINUTE);
    assert_eq!(account.missed().await, json!([1]));
    account.world.end().await;
}

#[tokio::test]
async fn after_a_long_absence_no_stretch_of_time_is_left_out() {
    let account = Account::new().await;
    account.moves(1);
    account.clock.advance(7 * 60 * MINUTE);
    account.moves(2);
    account.clock.advance(20 * 60 * MINUTE);
    let mut found = Vec::new();
    for _ in 0..6 {
        found.extend(account.missed().await.as_array().unwrap().clone());
    }
    assert_eq!(found, [json!(1), json!(2)]);
    account.world.end().await;
}

#[tokio::test]
async fn while_amocrm_is_away_nothing_is_skipped() {
    let account = Account::new().await;
    account.moves(1);
    account.clock.advance(5 * MINUTE);
    let answer = AmoCrmFailure::Answer { status: 502, body: "<h1>Bad Gateway</h1>".to_owned() };
    account.world.amocrm.fail_next(2, answer);
    assert_eq!(account.missed().await, json!([1]), "the run itself tries again");
    account.world.end().await;
}

#[tokio::test]
async fn odd_entries_are_counted_and_the_good_ones_beside_them_arrive() {
    let account = Account::new().await;
    let at = account.clock.shows().as_second();
    account.moves(1);
    let odd = [
        json!({}),
        json!("event"),
        json!({"id": "01a", "type": 7, "entity_id": 91, "entity_type": "lead", "created_at": at}),
        json!({"id": "01b", "type": MOVED, "entity_id": "much", "entity_type": "lead", "created_at": at}),
        json!({"id": "01c", "type": MOVED, "entity_id": 92, "entity_type": "lead"}),
        json!({"type": MOVED, "entity_id": 93, "entity_type": "lead", "created_at": at}),
    ];
    for entry in odd.clone() {
        account.world.amocrm.add_feed_entry(entry);
    }
    account.world.amocrm.ignore_event_filters();
    // Numbers as texts, and a text as a number, say enough.
    account.world.amocrm.set_lead(2, "Lead 2", 1);
    account.world.amocrm.add_feed_entry(json!({
        "id": 7, "type": MOVED, "entity_id": "2", "entity_type": "lead", "created_at": at.to_string(), "_links": [],
        "value_after": [{"lead_status": {"id": OURS.1.to_string(), "pipeline_id": OURS.0.to_string()}}],
    }));
    account.moves(3);
    account.clock.advance(5 * MINUTE);
    let output = account.run().await;
    let mut missed: Vec<u64> = serde_json::from_value(output["missed"].clone()).unwrap();
    missed.sort_unstable();
    assert_eq!(missed, [1, 2, 3]);
    account.world.records(3).await;
    let counted = account.world.metric("reconcile_odd_entries_total").await.unwrap();
    assert!(counted >= i64::try_from(odd.len()).unwrap(), "{counted}");
    account.world.end().await;
}

#[tokio::test]
async fn a_lead_that_cannot_be_read_does_not_stop_the_others() {
    let account = Account::new().await;
    account.happens(ADDED, 1, None);
    account.world.amocrm.refuse_lead(1, 404);
    account.happens(ADDED, 2, None);
    account.world.amocrm.set_lead_json(2, json!({"id": 2, "name": "No stage", "price": 5}));
    account.happens(ADDED, 3, None);
    account.world.amocrm.set_lead(3, "Lead 3", 1);
    account.clock.advance(5 * MINUTE);
    // The second one is read by the function that it is handed to.
    assert_eq!(account.missed().await, json!([2, 3]));
    account.world.end().await;
}

#[tokio::test]
async fn a_lead_that_amocrm_shows_hours_later_is_found_by_the_daily_look_back() {
    let account = Account::new().await;
    account.happens(ADDED, 1, None);
    account.clock.advance(5 * MINUTE);
    assert_eq!(account.missed().await, json!([]), "it lies in unsorted");
    account.clock.advance(8 * 60 * MINUTE);
    assert_eq!(account.missed().await, json!([]));
    account.world.amocrm.set_lead(1, "Accepted", 1);
    account.clock.advance(17 * 60 * MINUTE);
    assert_eq!(account.missed().await, json!([1]));
    account.world.end().await;
}

#[tokio::test]
async fn a_full_page_that_names_no_next_one_is_not_the_last() {
    let account = Account::new().await;
    for n in 0..100 {
        account.happens(MOVED, 1000 + n, Some(OTHER));
        account.happens("lead_deleted", 2000 + n, None);
    }
    account.moves(7);
    for n in 0..100 {
        account.happens(MOVED, 3000 + n, Some(OTHER));
    }
    account.world.amocrm.ignore_event_filters();
    account.world.amocrm.hide_next_pages();
    account.clock.advance(5 * MINUTE);
    assert_eq!(account.missed().await, json!([7]));
    account.world.end().await;
}

#[tokio::test]
async fn amocrm_is_asked_for_our_stages_alone_unless_it_refuses_that() {
    let account = Account::new().await;
    for refuses in [false, true] {
        if refuses {
            account.world.amocrm.refuse_stage_filter();
        }
        let lead = if refuses { 2 } else { 1 };
        account.moves(lead);
        account.happens(MOVED, 100 + lead, Some(OTHER));
        account.clock.advance(5 * MINUTE);
        let output = account.run().await;
        assert_eq!(output["missed"], json!([lead]));
        // Without the filter those read before are shown again, too.
        assert_eq!(output["events"], json!(if refuses { 4 } else { 1 }));
    }
    account.world.end().await;
}

#[tokio::test]
async fn what_the_feed_shows_a_few_minutes_late_is_found_by_the_next_run() {
    let account = Account::new().await;
    account.clock.advance(20 * MINUTE);
    let late = account.clock.shows().as_second() - 4 * 60;
    assert_eq!(account.missed().await, json!([]));
    account.world.amocrm.set_lead(1, "Late", 1);
    account.world.amocrm.add_event(MOVED, 1, late, Some(OURS));
    account.clock.advance(5 * MINUTE);
    assert_eq!(account.missed().await, json!([1]));
    account.world.end().await;
}

#[tokio::test]
async fn how_far_the_feed_was_read_is_a_metric() {
    let account = Account::new().await;
    account.clock.advance(60 * MINUTE);
    assert_eq!(account.world.metric("reconcile_behind_seconds").await, Some(3600));
    account.missed().await;
    assert_eq!(account.world.metric("reconcile_behind_seconds").await, Some(120));
    account.world.end().await;
}
