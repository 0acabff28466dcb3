//! Outages that nothing but a second sending mends. Each story ends with one record for each deal and an empty list, and no
//! command was typed.

use std::sync::Arc;
use std::time::Duration;

use sandbox::{AmoCrmFailure, ErpFailure, ManualClock};
use serde_json::{Value, json};

use crate::world::{Begin as _, World, eventually, given};

const LEAD: u64 = 45_721_053;
const MINUTE: Duration = Duration::from_secs(60);

/// Longer than it takes to interrupt a run: before that nothing is sent again.
const RESEND_AFTER: &str = "10s";

/// More than any story calls.
const ALL: usize = 10_000;

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new("2026-11-22T12:00:00Z".parse().unwrap()))
}

fn leads(count: u64) -> sandbox::World {
    (1..=count).fold(given(), |world, lead| world.lead(lead, format!("Lead {lead}").as_str(), 100))
}

impl<S> World<S> {
    /// A lead moves, and its run is in the middle: amoCRM holds the call in which the lead is read.
    async fn webhook_held_by_amocrm(&self, lead: u64) {
        self.amocrm.fail_next(1, AmoCrmFailure::Hang);
        self.webhook(lead).await;
        let asked = async || (self.amocrm.api_calls() > 0).then_some(());
        eventually("amoCRM is asked for the lead", asked).await;
    }

    /// Each of `count` deals says that it waits for `what`, and that it needs no person.
    async fn wait(&self, count: usize, what: &str) {
        eventually("the deals wait", async || {
            let deals = self.deals().await;
            let says = |deal: &Value| deal["next"].as_str().unwrap().to_owned();
            let waits = deals.iter().filter(|deal| {
                deal["waits_for"] == what
                    && deal["needs_person"] == false
                    && says(deal).starts_with(&format!("waits for {what}"))
            });
            (deals.len() == count && waits.count() == count).then_some(())
        })
        .await;
    }

    /// Each of `count` deals has its one record, and nothing is on its way any more.
    async fn one_record_each(&self, count: usize) {
        self.records(count).await;
        let done = async || self.deals().await.is_empty().then_some(());
        eventually("every deal is done", done).await;
        let mut names: Vec<_> =
            self.records(count).await.into_iter().map(|(name, _)| name).collect();
        names.sort_by_key(Value::to_string);
        names.dedup();
        assert_eq!((names.len(), self.erp.rows().len()), (count, count), "{names:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_is_killed_in_mid_run_and_stays_away_until_the_run_is_given_up() {
    let world =
        given().lead(LEAD, "Ремонт офиса", 46_333).variable("DEALS_RESEND_AFTER", RESEND_AFTER);
    let mut world = world.spawned_end_to_end().await;
    world.webhook_held_by_amocrm(LEAD).await;
    world.replicas[0].service.kill();
    world.run_is_given_up().await;
    eventually("the deal is due", async || {
        let deal = world.deals().await.pop().unwrap();
        (deal["next"] == "is with Inngest; nothing was heard of it, and it is sent again now")
            .then_some(())
    })
    .await;

    world.replicas[0].service.restart().await;
    world.one_record_each(1).await;
    world.replicas[0].service.stop().await;
}

#[tokio::test]
async fn inngest_loses_a_run_that_is_under_way() {
    let world =
        given().lead(LEAD, "Ремонт офиса", 46_333).variable("DEALS_RESEND_AFTER", RESEND_AFTER);
    let mut world = world.end_to_end_with_restarts().await;
    world.webhook_held_by_amocrm(LEAD).await;
    world.inngest_loses_everything().await;
    world.one_record_each(1).await;
    world.end().await;
}

#[tokio::test]
async fn an_erp_that_was_away_for_half_an_hour_gets_all_that_waited_for_it() {
    let clock = clock();
    let world = leads(5).clock(Arc::clone(&clock)).end_to_end().await;
    world.erp.break_next(ALL, ErpFailure::NoDatabase);
    for lead in 1..=5 {
        world.webhook(lead).await;
    }
    eventually("the runs have failed", async || {
        let deals = world.deals().await;
        let of_a_run = |deal: &Value| {
            deal["reason"].as_str().is_some_and(|reason| reason.starts_with("lead "))
        };
        (deals.iter().filter(|deal| of_a_run(deal)).count() == 5).then_some(())
    })
    .await;
    world.wait(5, "the ERP").await;

    clock.advance(30 * MINUTE);
    let questions = world.erp.count("question");
    let probed = async || (world.erp.count("question") > questions).then_some(());
    eventually("the ERP is asked whether it is back", probed).await;
    world.wait(5, "the ERP").await;
    assert_eq!(world.metric("deals_resent_total").await, Some(0), "no deal is tried in vain");

    world.erp.recover();
    clock.advance(2 * MINUTE);
    world.one_record_each(5).await;
    world.end().await;
}

#[tokio::test]
async fn a_consent_comes_two_hours_after_the_tokens_died() {
    let clock = clock();
    let world = leads(4).clock(Arc::clone(&clock)).end_to_end().await;
    world.webhook(1).await;
    world.one_record_each(1).await;

    world.amocrm.revoke();
    for (waiting, lead) in [(1, 2), (2, 3), (3, 4)] {
        world.webhook(lead).await;
        world.wait(waiting, "a consent in amoCRM").await;
        clock.advance(40 * MINUTE);
    }
    assert_eq!(world.erp.rows().len(), 1);

    world.consent().await;
    world.one_record_each(4).await;
    world.end().await;
}

#[tokio::test]
async fn a_deal_of_another_program_fails_while_the_erp_is_away_and_stays_the_same_deal() {
    let clock = clock();
    let world = given().clock(Arc::clone(&clock)).end_to_end().await;
    world.erp.break_next(ALL, ErpFailure::NoDatabase);
    let run = world.run_of("crm/create-deal", json!({ "dealName": "A", "amount": 5 })).await;
    assert_eq!(run.status, "Failed");
    world.wait(1, "the ERP").await;

    world.erp.recover();
    clock.advance(2 * MINUTE);
    world.one_record_each(1).await;
    world.end().await;
}
