//! The states in which an ERP takes no deals, or not as it should: `doctor` names each of them with its remedy, and a deal
//! that is sent to such an ERP is not in doubt.

mod states;

use futures_util::future::join_all;
use sandbox::ErpField;
use serde_json::Value;

use self::states::Deal::{Made, Refused, Waits};
use self::states::{State, erp};
use crate::world::{Begin as _, World, eventually, given};

const LEAD: u64 = 45_721_053;

#[tokio::test(flavor = "multi_thread")]
async fn doctor_names_each_state_of_more_fields_and_no_deal_is_in_doubt() {
    join_all(states::of_more_fields().into_iter().map(examine)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_for_a_field_of_no_users_is_found() {
    for (kind, status) in [("fieldtype_users", "ok"), ("fieldtype_input", "error")] {
        let world = given()
            .erp(|erp| erp.set_field(ErpField::of_type("field_1050", kind)))
            .variable("CRM_FIELDS", "responsible:field_1050")
            .variable("CRM_USERS", "504141:12");
        let findings = world.unserved().await.erp_findings().await;
        let found = findings.iter().find(|found| found["check"] == "erp CRM_FIELDS").unwrap();
        assert_eq!(found["status"], status, "{found}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_names_each_refusal_of_access_and_no_deal_is_in_doubt() {
    join_all(states::of_access().into_iter().map(examine)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_names_each_state_of_the_server_and_no_deal_is_in_doubt() {
    join_all(states::of_the_server().into_iter().map(examine)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_names_each_state_of_the_entity_and_no_deal_is_in_doubt() {
    join_all(states::of_the_entity().into_iter().map(examine)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_names_each_state_of_the_marker_and_no_deal_is_in_doubt() {
    join_all(states::of_the_marker().into_iter().map(examine)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_finds_nothing_wrong_with_an_erp_that_is_right() {
    let right = erp("nothing", |_| {}, ["", ""], Made);
    let world = right.world().await;
    let bad: Vec<_> =
        world.erp_findings().await.into_iter().filter(|found| found["status"] != "ok").collect();
    assert!(bad.is_empty(), "{bad:#?}");
    assert!(world.erp.rows().is_empty(), "looking changes nothing");
}

impl State {
    async fn world(&self) -> World {
        let mut world = given().lead(LEAD, "Ремонт офиса", 46_333);
        world = world.variable("CRM_FIELD_EXTERNAL_ID", "field_1041");
        world = world.erp(|erp| erp.set_field(ErpField::text("field_1041").unique()));
        if let Some((name, value)) = self.variable {
            world = world.variable(name, value);
        }
        let world = world.in_process().await;
        // The service is configured with what was right.
        world.erp.configure(self.spoil);
        if let Some(failure) = &self.answers {
            world.erp.break_next(10_000, failure.clone());
        }
        world
    }
}

impl<S> World<S> {
    /// What `doctor` says of the ERP.
    async fn erp_findings(&self) -> Vec<Value> {
        let said = self.command(&["doctor", "--json"]).await;
        let report: Value = serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{said:?}"));
        let checks = report["checks"].as_array().unwrap().iter();
        checks
            .filter(|found| found["check"].as_str().unwrap().starts_with("erp"))
            .cloned()
            .collect()
    }
}

async fn examine(state: State) {
    let (name, [message, fix]) = (state.name, state.found);
    let world = state.world().await;
    let findings = world.erp_findings().await;
    let is_named = findings.iter().any(|found| {
        let says = |part: &str, text: &str| found[part].as_str().unwrap_or_default().contains(text);
        found["status"] != "ok" && says("message", message) && says("fix", fix)
    });
    assert!(is_named, "{name}: {findings:#?}");
    assert!(world.erp.rows().is_empty(), "{name}: looking changes nothing");

    world.webhook(LEAD).await;
    let deal = eventually("the deal has its record or a reason", async || {
        let deals = world.deals().await;
        let Some(deal) = deals.first() else {
            return (!world.erp.rows().is_empty()).then_some(Value::Null);
        };
        deal["reason"].is_string().then(|| deal.clone())
    })
    .await;
    let became = match (&deal["waits_for"], world.erp.rows().len()) {
        (Value::Null, 1) => Made,
        (waits_for, 0) if waits_for == "the ERP" => Waits,
        (waits_for, 0) if waits_for == "you" => Refused,
        _ => panic!("{name}: {deal:#}"),
    };
    assert_eq!(became, state.deal, "{name}: {deal:#}");
    assert_ne!(deal["state"], "in doubt", "{name}: {deal:#}");
    assert_eq!(world.deals_in("in_doubt").await, Some(0), "{name}");
    let sent = world.erp.count("insert");
    assert_eq!(sent, usize::from(state.deal != Waits), "{name}: what would be unclear is not sent");
}
