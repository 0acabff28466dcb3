//! `doctor` finds each fault, says what to do, and shows no secret.

use std::time::Duration;

use axum::Router;
use futures_util::future::join_all;
use inngest::signing::SigningKey;
use sandbox::{AmoCrmFailure, ErpField, free_port};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::world::{Begin as _, NOWHERE, World, given, http_client};

/// The events of a lead for which the service needs webhooks.
const EVENTS: [&str; 5] = ["status_lead", "add_lead", "restore_lead", "update_lead", "delete_lead"];

/// One thing that was looked at.
#[derive(Debug, Deserialize)]
struct Finding {
    check: String,
    status: String,
    message: String,
    fix: Option<String>,
}

/// A world in which all is well.
async fn all_is_well() -> World<()> {
    let world = given()
        .signed()
        .variable("INNGEST_SERVE_ORIGIN", "https://deals.example.org")
        .variable("AMOCRM_ACCOUNT_ID", "32452514")
        .variable("AMOCRM_TRIGGER_STATUSES", "9679730:142")
        .variable("CRM_FIELD_EXTERNAL_ID", "field_1041")
        .erp(|erp| erp.set_field(ErpField::text("field_1041").unique()));
    let world = world.unserved().await;
    world.amocrm.set_webhook(&hook(&world), &EVENTS, false);
    register(&world).await;
    world
}

/// Lets Inngest know a function of the service.
async fn register(world: &World<()>) {
    let step = json!({ "id": "step", "name": "step", "runtime": { "type": "http", "url": "https://deals.example.org/" } });
    let function = json!({ "id": "prometei-flow-fn", "name": "fn", "triggers": [], "steps": { "step": step } });
    let payload = json!({ "appName": "prometei-flow", "v": "0.1", "functions": [function] });
    let token = SigningKey::new(&world.variables["INNGEST_SIGNING_KEY"]).api_token().unwrap();
    let request = http_client().post(format!("{}/fn/register", world.inngest_url));
    let answer = request.bearer_auth(token).body(payload.to_string()).send().await.unwrap();
    assert_eq!(answer.status(), 200);
}

/// The address of the service's webhook in amoCRM.
fn hook(world: &World<()>) -> String {
    let secret = &world.variables["AMOCRM_WEBHOOK_SECRET"];
    format!("https://deals.example.org/api/amocrm-webhook?secret={secret}")
}

impl World<()> {
    /// What is found with these variables changed.
    async fn findings(&self, changes: &[(&str, &str)]) -> Vec<Finding> {
        let said = self.command_with(&["doctor", "--json"], changes).await;
        let mut report: Value =
            serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{said:?}"));
        let findings: Vec<Finding> = serde_json::from_value(report["checks"].take()).unwrap();
        for finding in &findings {
            let lines =
                format!("{} {}", finding.message, finding.fix.as_deref().unwrap_or_default());
            assert!(!lines.contains('\n'), "one line each: {finding:?}");
            assert_eq!(finding.status == "ok", finding.fix.is_none(), "{finding:?}");
        }
        let fails = findings.iter().any(|finding| finding.status == "error");
        assert_eq!((said.code, &report["ok"]), (Some(i32::from(fails)), &Value::from(!fails)));
        findings
    }

    /// The status of `check`, with what it says.
    async fn finds(&self, changes: &[(&str, &str)], check: &str) -> (String, String) {
        let findings = self.findings(changes).await;
        let found = findings.iter().find(|finding| finding.check == check);
        let found = found.unwrap_or_else(|| panic!("no {check} in {findings:#?}"));
        let fix = found.fix.as_ref().map(|fix| format!(" -> {fix}")).unwrap_or_default();
        (found.status.clone(), format!("{}{fix}", found.message))
    }
}

fn assert_found(found: &(String, String), status: &str, says: &str) {
    assert!(found.0 == status && found.1.contains(says), "{found:?}, not {status} {says}");
}

#[tokio::test]
async fn where_all_is_well_every_line_says_so() {
    let world = all_is_well().await;
    let findings = world.findings(&[]).await;
    let bad: Vec<_> = findings.iter().filter(|finding| finding.status != "ok").collect();
    assert!(bad.is_empty(), "{bad:#?}");
    let checks: Vec<_> = findings.iter().map(|finding| finding.check.as_str()).collect();
    assert_eq!(
        checks,
        [
            "variables",
            "inngest api",
            "inngest events",
            "inngest registration",
            "tls",
            "clock",
            "amocrm token",
            "amocrm account",
            "amocrm webhook",
            "erp login",
            "erp fields",
            "erp rights",
            "erp marker field",
            "database"
        ]
    );
    let created = world.erp.count("insert");
    assert_eq!((created, world.erp.rows().len()), (0, 0), "looking changes nothing");
}

#[tokio::test]
async fn every_mistake_in_the_variables_is_reported() {
    let world = all_is_well().await;
    let changes = [("CRM_API_URL", ""), ("PORT", "many"), ("INNGEST_EVENT_KEY", "")];
    let findings = world.findings(&changes).await;
    assert_eq!(findings.len(), 3, "{findings:#?}");
    assert!(findings.iter().all(|finding| finding.status == "error"));
    assert!(world.amocrm.requests().is_empty());
}

#[tokio::test]
async fn keys_that_inngest_does_not_know_are_found() {
    let world = all_is_well().await;
    let other = [("INNGEST_SIGNING_KEY", "signkey-prod-00112233")];
    let found = world.finds(&other, "inngest api").await;
    assert_found(&found, "error", "refuses the signing key");
    let found = world.finds(&[("INNGEST_EVENT_KEY", "another")], "inngest events").await;
    assert_found(&found, "error", "refuses the event key");
    let found = world.finds(&[("INNGEST_BASE_URL", NOWHERE)], "inngest api").await;
    assert_found(&found, "error", "cannot be reached");
}

#[tokio::test]
async fn the_event_key_is_accepted_here_when_it_is_accepted_from_the_service() {
    let world = given().event_key("event-key-5ecret").unserved().await;
    for (key, accepted) in [
        ("event-key-5ecret", true),
        ("event-key-5ecret\n", true),
        ("event%2Dkey-5ecret", false),
        ("event-key/5ecret", false),
    ] {
        let key = [("INNGEST_EVENT_KEY", key)];
        let found = world.finds(&key, "inngest events").await;
        assert_eq!(found.0 == "ok", accepted, "{key:?}: {found:?}");
        let sent = world.command_with(&["send-deal", "--name", "A"], &key).await;
        assert_eq!(sent.code == Some(0), accepted, "{key:?}: {sent:?}");
    }
    let found = world.finds(&[("INNGEST_EVENT_KEY", "event-key/5ecret")], "variables").await;
    assert_found(&found, "warning", "INNGEST_EVENT_KEY: has a `/`");
}

#[tokio::test]
async fn functions_that_inngest_does_not_know_are_found() {
    let world = given().signed().unserved().await;
    let found = world.finds(&[], "inngest registration").await;
    assert_found(&found, "warning", "start the service: it registers itself");
    let by_hand = world.finds(&[("INNGEST_SERVE_ORIGIN", "")], "inngest registration").await;
    assert_found(&by_hand, "warning", "sync the app in the Inngest dashboard");
}

#[tokio::test]
async fn what_stands_before_inngest_is_not_taken_for_inngest() {
    let world = all_is_well().await;
    for (status, says) in [
        (404, "not how Inngest refuses an event"),
        (403, "proxy or firewall"),
        (301, "redirects are not followed"),
        (200, "not how Inngest takes events"),
    ] {
        let page = Router::new().fallback(move || async move {
            (http::StatusCode::from_u16(status).unwrap(), "<html><h1>Hello</h1></html>")
        });
        let listener = free_port().await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, page).await });
        let changes = [("INNGEST_BASE_URL", url.as_str())];
        let found = world.finds(&changes, "inngest events").await;
        assert_found(&found, "error", says);
        assert_ne!(world.finds(&changes, "inngest api").await.0, "ok", "HTTP {status}");
    }
}

#[tokio::test]
async fn a_token_that_amocrm_refuses_is_found() {
    let world = all_is_well().await;
    let found = world.finds(&[("AMOCRM_BASE_URL", NOWHERE)], "amocrm token").await;
    assert_found(&found, "error", "no connection");
    world.amocrm.revoke();
    for _ in 0..2 {
        let found = world.finds(&[], "amocrm token").await;
        assert_found(&found, "error", "amocrm authorize");
    }
    assert_eq!(world.amocrm.exchanges(), 1, "a dead token is not offered again");
}

#[tokio::test]
async fn programs_at_once_spend_a_refresh_token_once() {
    let world = all_is_well().await;
    for exchanges in 1..=3 {
        let slow = AmoCrmFailure::Slow(Duration::from_secs(1));
        world.amocrm.fail_next_exchange(1, slow);
        let programs = [world.findings(&[]), world.findings(&[]), world.findings(&[])];
        for findings in join_all(programs).await {
            let bad: Vec<_> = findings.iter().filter(|finding| finding.status != "ok").collect();
            assert!(bad.is_empty(), "{bad:#?}");
        }
        assert_eq!(world.amocrm.exchanges(), exchanges);
        world.amocrm.expire_tokens();
    }
    assert_eq!(world.amocrm.refresh_tokens_spent_twice(), 0);
}

#[tokio::test]
async fn a_token_of_another_account_is_found() {
    let world = all_is_well().await;
    let found = world.finds(&[("AMOCRM_ACCOUNT_ID", "7")], "amocrm account").await;
    assert_found(&found, "error", "AMOCRM_ACCOUNT_ID says 7");
}

#[tokio::test]
async fn a_long_lived_token_that_ends_soon_is_found() {
    let world = all_is_well().await;
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    for (days, status) in [(400, "ok"), (20, "warning"), (0, "error")] {
        let end = i64::try_from(now + days * 86_400 + 3600).unwrap();
        let token = world.amocrm.issue_long_lived_token(end);
        let found = world.finds(&[("AMOCRM_ACCESS_TOKEN", &token)], "amocrm token").await;
        assert_eq!(found.0, status, "{days} days: {}", found.1);
    }
}

#[tokio::test]
async fn a_webhook_that_is_not_as_it_should_be_is_found() {
    let world = all_is_well().await;
    world.amocrm.set_webhook(&hook(&world), &EVENTS, true);
    assert_found(&world.finds(&[], "amocrm webhook").await, "error", "switched the webhook off");
    world.amocrm.set_webhook(&hook(&world), &EVENTS[..1], false);
    assert_found(&world.finds(&[], "amocrm webhook").await, "error", "add_lead, restore_lead");

    let no_stages = ("AMOCRM_TRIGGER_STATUSES", "");
    let secret = [("AMOCRM_WEBHOOK_SECRET", "another-secret-of-the-test"), no_stages];
    assert_found(&world.finds(&secret, "amocrm webhook").await, "error", "no webhook for");
    let other = [("INNGEST_SERVE_ORIGIN", "https://other.example.org"), no_stages];
    assert_found(&world.finds(&other, "amocrm webhook").await, "error", "no webhook for");
    let stages = [other[0], ("AMOCRM_TRIGGER_STATUSES", "1:142")];
    assert_found(&world.finds(&stages, "amocrm webhook").await, "warning", "reconciliation");
}

#[tokio::test]
async fn rights_that_are_missing_are_found() {
    let world = all_is_well().await;
    world.amocrm.configure(|amocrm| amocrm.is_admin = false);
    let found = world.finds(&[], "amocrm webhook").await;
    assert_found(&found, "warning", "use the token of an administrator");
}

#[tokio::test]
async fn without_a_marker_field_an_unclear_answer_costs_a_person_time() {
    let world = all_is_well().await;
    let found = world.finds(&[("CRM_FIELD_EXTERNAL_ID", "")], "erp marker field").await;
    assert_found(&found, "warning", "none is configured");
}

#[tokio::test]
async fn stages_that_make_no_deal_are_found() {
    let world = all_is_well().await;
    let none = [("AMOCRM_TRIGGER_STATUSES", "")];
    let found = world.finds(&none, "variables").await;
    assert_found(
        &found,
        "warning",
        "AMOCRM_TRIGGER_STATUSES: is not set: each lead gets its record",
    );
    assert_eq!(world.finds(&none, "amocrm webhook").await.0, "ok", "a move is not needed then");
}

#[tokio::test]
async fn a_database_that_cannot_be_opened_is_found() {
    let world = all_is_well().await;
    let found = world.finds(&[("DATABASE_URL", "sqlite:///nowhere/flow.db")], "database").await;
    assert_found(&found, "error", "cannot create the database");
}

#[tokio::test]
async fn without_json_each_finding_is_a_line() {
    let world = all_is_well().await;
    let said = world.command_with(&["doctor"], &[("INNGEST_BASE_URL", NOWHERE)]).await;
    assert_eq!(said.code, Some(1));
    assert!(said.out.contains("\nerror    inngest api"), "{}", said.out);
    assert!(said.out.contains("\nok       erp login"), "{}", said.out);
    assert!(said.err.starts_with("error: doctor found "), "{}", said.err);
}

#[tokio::test]
async fn a_dev_server_that_is_not_running_is_found_and_an_erp_that_is_not_configured() {
    let world = given().without_erp().inngest_at(NOWHERE).unserved().await;
    let found = world.finds(&[], "inngest api").await;
    assert_found(&found, "error", "start the dev server");
    assert_eq!(world.finds(&[], "erp login").await.0, "warning");
}
