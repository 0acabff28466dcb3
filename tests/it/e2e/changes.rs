//! The name or the budget of a lead changes after its record was made.

use std::sync::Arc;
use std::time::Duration;

use sandbox::ManualClock;
use serde_json::{Value, json};

use crate::world::{Begin as _, World, eventually, given};

pub(super) const LEAD: u64 = 45_721_053;
pub(super) const MINUTE: Duration = Duration::from_secs(60);

fn body(action: &str, lead: u64) -> String {
    format!("leads[{action}][0][id]={lead}&leads[{action}][0][status_id]=142&account[id]=32452514")
}

/// An account in which a lead has its record: without a budget, which is filled in later.
pub(super) struct Account {
    pub(super) world: World,
    pub(super) clock: Arc<ManualClock>,
}

impl Account {
    pub(super) async fn new(on_change: &str) -> Self {
        Self::begin(given().variable("CRM_ON_CHANGE", on_change)).await
    }

    pub(super) async fn begin(world: sandbox::World) -> Self {
        let clock = Arc::new(ManualClock::new("2026-11-22T12:00:00Z".parse().unwrap()));
        let world = world.lead(LEAD, "Ремонт офиса", 0).clock(Arc::clone(&clock));
        Self { world: world.end_to_end().await, clock }
    }

    /// The lead moves, and has its record.
    pub(super) async fn moves(&self, lead: u64) {
        let records = self.world.erp.rows().len();
        self.world.webhook(lead).await;
        self.world.records(records + 1).await;
        self.all_is_done().await;
    }

    pub(super) async fn all_is_done(&self) {
        let done = async || self.world.deals().await.is_empty().then_some(());
        eventually("every deal is done", done).await;
    }

    /// amoCRM reports what happened to a lead, which makes no deal.
    pub(super) async fn reports(&self, action: &str, lead: u64) {
        let answer = self.world.post_webhook("/api/amocrm-webhook", body(action, lead)).await;
        assert_eq!(answer, (200, json!({ "accepted": 0 })));
    }

    /// The budget of the lead is filled in.
    async fn fills_budget(&self, amount: i64) {
        self.world.amocrm.set_lead(LEAD, "Ремонт офиса", amount);
        self.reports("update", LEAD).await;
    }

    /// So long that a burst of edits is over.
    pub(super) fn a_minute_passes(&self) {
        self.clock.advance(MINUTE + Duration::from_secs(1));
    }

    /// The one line of the list.
    pub(super) async fn listed(&self, state: &str) -> Value {
        eventually(&format!("{state} is listed"), async || {
            let deals = self.world.deals().await;
            assert!(deals.len() <= 1, "{deals:?}");
            deals.into_iter().find(|deal| deal["state"] == state)
        })
        .await
    }

    /// Nothing is asked of amoCRM any more, and nothing is listed.
    async fn comes_to_rest(&self) {
        eventually("no event waits", async || (self.world.waiting().await == 0).then_some(()))
            .await;
        self.all_is_done().await;
    }

    /// How often amoCRM was asked for a lead.
    fn reads(&self, lead: u64) -> usize {
        let path = format!("/api/v4/leads/{lead}");
        let requests = self.world.amocrm.requests();
        requests.iter().filter(|sent| sent.uri.path() == path && sent.uri.query().is_none()).count()
    }

    fn amount(&self) -> Value {
        self.world.erp.rows()[0].fields.get("field_1040").cloned().unwrap_or_default()
    }

    async fn run(&self, action: &str) -> Value {
        let event = json!({ "leadId": LEAD, "action": action });
        let run = self.world.run_of("amocrm/webhook", event).await;
        assert_eq!(run.status, "Completed", "{}", run.output);
        run.output
    }

    /// Runs `deals`, which succeeds.
    pub(super) async fn command(&self, arguments: &[&str]) {
        let said = self.world.command(arguments).await;
        assert_eq!(said.code, Some(0), "{said:?}");
    }
}

#[tokio::test]
async fn a_budget_that_is_filled_after_the_move_is_listed_until_it_is_dismissed_or_taken_back() {
    let account = Account::new("report").await;
    account.moves(LEAD).await;
    for amount in [100, 185_000] {
        account.fills_budget(amount).await;
    }
    account.a_minute_passes();
    let item = account.listed("changed").await;
    assert_eq!(item["reason"], "record 119 was given no amount, amoCRM has 185000");
    assert_eq!((&item["lead"], &item["needs_person"]), (&json!(LEAD), &json!(true)));
    assert_eq!(account.reads(LEAD), 2, "a burst of edits is one look");
    assert_eq!(account.world.deals_in("changed").await, Some(1));
    assert_eq!(account.amount(), Value::Null, "the record is left alone");

    account.fills_budget(0).await;
    account.a_minute_passes();
    account.all_is_done().await;

    account.fills_budget(500).await;
    account.a_minute_passes();
    account.listed("changed").await;
    account.command(&["deals", "dismiss", "--lead", "45721053", "--why", "known"]).await;
    account.all_is_done().await;
    account.fills_budget(500).await;
    account.a_minute_passes();
    let again = async || (account.reads(LEAD) == 5).then_some(());
    eventually("it is looked at once more", again).await;
    account.comes_to_rest().await;
    account.fills_budget(501).await;
    account.a_minute_passes();
    account.listed("changed").await;
    account.world.end().await;
}

#[tokio::test]
async fn no_run_succeeds_with_a_value_that_the_record_does_not_hold() {
    let account = Account::new("report").await;
    account.moves(LEAD).await;
    let same = account.run("status").await;
    assert_eq!((&same["success"], &same["duplicate"]), (&json!(true), &json!(true)));
    assert_eq!(same.get("recorded"), None);
    account.world.amocrm.set_lead(LEAD, "Ремонт склада", 185_000);
    for action in ["status", "update", "delete"] {
        let run = account.run(action).await;
        assert_eq!((&run["success"], &run["duplicate"]), (&json!(false), &json!(true)), "{action}");
        assert_eq!(run["amoCrmLead"]["price"], 185_000);
        assert_eq!(run["recorded"], json!({ "name": "Ремонт офиса" }));
        assert_eq!(run["differs"], json!(["name", "amount"]));
        assert_eq!(run["erpResult"]["data"]["id"], "119");
    }
    let item = account.listed("changed").await;
    assert_eq!(
        item["reason"],
        "record 119 was given \"Ремонт офиса\", amoCRM has \"Ремонт склада\"; record 119 was given no amount, amoCRM \
         has 185000"
    );
    account.world.end().await;
}

#[tokio::test]
async fn a_budget_that_is_filled_after_the_move_is_written_into_the_record() {
    let account = Account::new("update").await;
    account.moves(LEAD).await;
    account.fills_budget(185_000).await;
    account.a_minute_passes();
    let written = async || (account.amount() == 185_000).then_some(());
    eventually("the record is updated", written).await;
    account.comes_to_rest().await;
    let sent = account.world.erp.requests().pop().unwrap().text();
    assert!(
        sent.ends_with(
            r#""action":"update","entity_id":70,"data":{"field_1039":"Ремонт офиса","field_1040":185000},"update_by_field":{"id":"119"}}"#
        ),
        "{sent}"
    );
    let run = account.run("update").await;
    assert_eq!((&run["success"], run.get("updated")), (&json!(true), None), "it has it already");
    account.world.amocrm.set_lead(LEAD, "Ремонт офиса", 0);
    let run = account.run("status").await;
    assert_eq!((&run["success"], &run["updated"]), (&json!(true), &json!(true)));
    assert_eq!((account.amount(), account.world.erp.rows().len()), (json!(0), 1));
    account.world.end().await;
}

#[tokio::test]
async fn a_record_that_was_deleted_in_the_erp_is_listed_and_not_made_again() {
    let account = Account::new("update").await;
    account.moves(LEAD).await;
    account.world.erp.delete_row(119);
    account.fills_budget(185_000).await;
    account.a_minute_passes();
    let item = account.listed("record gone").await;
    assert_eq!(item["reason"], "record 119 was deleted in the ERP");
    let run = account.run("status").await;
    assert_eq!((&run["success"], &run["recordIsGone"]), (&json!(false), &json!(true)));
    assert_eq!((account.world.erp.rows().len(), account.world.erp.count("update")), (0, 1));
    account.world.end().await;
}

#[tokio::test]
async fn where_changes_are_ignored_nothing_is_looked_at() {
    let account = Account::new("ignore").await;
    account.moves(LEAD).await;
    account.fills_budget(185_000).await;
    account.a_minute_passes();
    let run = account.run("status").await;
    assert_eq!(
        (&run["success"], &run["recorded"]["name"]),
        (&json!(false), &json!("Ремонт офиса"))
    );
    assert_eq!((account.reads(LEAD), account.amount()), (2, Value::Null));
    account.comes_to_rest().await;
    account.world.end().await;
}

#[tokio::test]
async fn an_event_of_a_change_makes_no_record() {
    let account = Account::new("update").await;
    for action in ["update", "delete"] {
        let run = account.run(action).await;
        assert_eq!(run["skipped"], json!([{ "id": LEAD, "reason": "it has no record" }]));
    }
    assert!(account.world.erp.requests().is_empty());
    account.reports("update", LEAD).await;
    account.a_minute_passes();
    assert_eq!((account.world.waiting().await, account.reads(LEAD)), (0, 0), "and costs no run");
    account.world.end().await;
}
