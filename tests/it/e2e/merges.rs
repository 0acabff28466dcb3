//! A lead is deleted, or becomes a part of another one: before it has its record, and after.

use sandbox::ErpFailure;
use serde_json::{Value, json};

use super::changes::{Account, LEAD, MINUTE};
use crate::world::{eventually, given};

/// The lead that stays.
const SURVIVOR: u64 = 7;
const MODES: [&str; 3] = ["report", "update", "ignore"];

impl Account {
    /// One whose feed is read.
    async fn with_feed(on_change: &str) -> Self {
        let stages = "9679730:77186758";
        let world = given().variable("AMOCRM_TRIGGER_STATUSES", stages);
        let account = Self::begin(world.variable("CRM_ON_CHANGE", on_change)).await;
        account.reconciles().await;
        account
    }

    /// The feed is read up to now.
    async fn reconciles(&self) {
        self.clock.advance(5 * MINUTE);
        let run = self.world.run_of("prometei-flow/reconcile", json!({})).await;
        assert_eq!(run.status, "Completed", "{}", run.output);
    }

    /// The feed has an event of a lead.
    fn happens(&self, kind: &str, lead: u64) {
        let now = self.clock.shows().as_second();
        self.world.amocrm.add_event(kind, lead, now, None);
    }

    /// The lead becomes a part of the survivor, which takes over its budget.
    fn becomes_part_of_survivor(&self, budget: i64) {
        self.world.amocrm.delete_lead(LEAD);
        self.world.amocrm.set_lead(SURVIVOR, "Ремонт офиса", budget);
        self.world.amocrm.add_feed_entry(json!({
            "id": format!("merge-{LEAD}"), "type": "entity_merged", "entity_id": SURVIVOR, "entity_type": "lead",
            "created_at": self.clock.shows().as_second(), "account_id": 32_452_514,
            "value_before": [], "value_after": [{ "merged_entity": { "id": LEAD, "type": "leads" } }],
        }));
    }

    /// How many records there are, once nothing is left to do.
    async fn records_at_rest(&self) -> usize {
        self.all_is_done().await;
        let waits = async || (self.world.waiting().await == 0).then_some(());
        eventually("no event waits", waits).await;
        self.world.erp.rows().len()
    }

    async fn run_of(&self, lead: u64) -> Value {
        self.world
            .run_of("amocrm/webhook", json!({ "leadId": lead, "action": "status" }))
            .await
            .output
    }
}

#[tokio::test]
async fn a_lead_that_is_deleted_before_it_has_a_record_ends_quietly_and_is_not_lost_when_it_is_restored()
 {
    for mode in MODES {
        let account = Account::new(mode).await;
        account.world.amocrm.delete_lead(LEAD);
        // A webhook may overtake another one.
        account.reports("delete", LEAD).await;
        account.world.webhook(LEAD).await;
        assert_eq!(account.records_at_rest().await, 0, "{mode}");
        let said = account.run_of(LEAD).await;
        let reason = "it was deleted in amoCRM before it had a record";
        assert_eq!(said["skipped"], json!([{ "id": LEAD, "reason": reason }]));

        account.world.amocrm.restore_lead(LEAD);
        let restored = format!("leads[restore][0][id]={LEAD}");
        let answer = account.world.post_webhook("/api/amocrm-webhook", restored).await;
        assert_eq!(answer, (200, json!({ "accepted": 1 })));
        account.reports("delete", LEAD).await;
        account.world.records(1).await;
        account.a_minute_passes();
        assert_eq!(account.records_at_rest().await, 1, "{mode}");
        account.world.end().await;
    }
}

#[tokio::test]
async fn a_lead_that_is_deleted_after_it_has_a_record_is_listed_once() {
    for mode in MODES {
        let account = Account::new(mode).await;
        account.moves(LEAD).await;
        account.world.amocrm.delete_lead(LEAD);
        account.reports("delete", LEAD).await;
        account.a_minute_passes();
        let item = account.listed("deleted").await;
        assert_eq!(item["reason"], "the lead was deleted in amoCRM, record 119 stays", "{mode}");
        account.command(&["deals", "dismiss", "--lead", "45721053", "--why", "known"]).await;
        account.reports("delete", LEAD).await;
        account.a_minute_passes();
        assert_eq!(account.run_of(LEAD).await["skipped"][0]["id"], LEAD, "{mode}");
        account.all_is_done().await;

        account.world.amocrm.restore_lead(LEAD);
        assert_eq!(account.run_of(LEAD).await["success"], true, "{mode}");
        assert_eq!(account.records_at_rest().await, 1, "{mode}");
        account.world.end().await;
    }
}

#[tokio::test]
async fn the_feed_tells_of_deletions_and_edits_that_no_webhook_reported() {
    let account = Account::with_feed("report").await;
    account.moves(LEAD).await;
    for (kind, state) in [("sale_field_changed", "changed"), ("lead_deleted", "deleted")] {
        match kind {
            "lead_deleted" => account.world.amocrm.delete_lead(LEAD),
            _ => account.world.amocrm.set_lead(LEAD, "Ремонт офиса", 185_000),
        }
        account.happens(kind, LEAD);
        account.happens(kind, 99);
        account.reconciles().await;
        account.a_minute_passes();
        account.listed(state).await;
    }
    account.world.end().await;
}

#[tokio::test]
async fn the_survivor_of_a_merge_takes_over_the_record_before_it_has_one() {
    for mode in MODES {
        let account = Account::with_feed(mode).await;
        account.moves(LEAD).await;
        account.becomes_part_of_survivor(500);
        account.reconciles().await;
        account.world.webhook(SURVIVOR).await;
        if mode == "report" {
            let item = account.listed("changed").await;
            assert_eq!(item["lead"], SURVIVOR);
            assert_eq!(item["reason"], "record 119 was given no amount, amoCRM has 500");
        } else {
            assert_eq!(account.records_at_rest().await, 1, "{mode}");
        }
        let run = account.run_of(SURVIVOR).await;
        assert_eq!(run["duplicate"], true, "{mode}: {run}");
        assert_eq!(run["erpResult"]["data"]["id"], "119");
        assert_eq!(run["success"], mode == "update", "{mode}");
        assert_eq!(account.world.erp.rows().len(), 1, "{mode}");
        account.world.end().await;
    }
}

#[tokio::test]
async fn where_both_leads_of_a_merge_have_a_record_both_are_listed() {
    for mode in MODES {
        let account = Account::with_feed(mode).await;
        account.moves(LEAD).await;
        account.world.amocrm.set_lead(SURVIVOR, "Ремонт офиса", 0);
        account.moves(SURVIVOR).await;
        account.becomes_part_of_survivor(0);
        account.reconciles().await;
        let item = account.listed("merged").await;
        let reason =
            "the lead became a part of lead 7 in amoCRM: one deal has the records 119 and 120";
        assert_eq!((&item["lead"], &item["reason"]), (&json!(LEAD), &json!(reason)), "{mode}");
        account.reconciles().await;
        account.command(&["deals", "dismiss", "--lead", "45721053", "--why", "known"]).await;
        assert_eq!(account.records_at_rest().await, 2, "{mode}");
        account.world.end().await;
    }
}

#[tokio::test]
async fn a_deal_that_waits_for_its_record_when_its_lead_is_merged_is_made_by_the_survivor() {
    let account = Account::with_feed("report").await;
    account.world.erp.fail_next(10_000, ErpFailure::NoDatabase);
    account.world.webhook(LEAD).await;
    let waits = async || {
        let deal = account.world.deals().await.pop()?;
        (deal["reason"].as_str()?.starts_with("lead ")).then_some(())
    };
    eventually("the deal waits for the ERP", waits).await;
    account.becomes_part_of_survivor(500);
    account.reconciles().await;
    account.world.erp.recover();
    account.clock.advance(2 * MINUTE);
    assert_eq!(account.world.records(1).await, [(json!("Ремонт офиса"), json!(500))]);
    assert_eq!(account.records_at_rest().await, 1);
    assert_eq!(account.run_of(SURVIVOR).await["duplicate"], true);
    account.world.end().await;
}
