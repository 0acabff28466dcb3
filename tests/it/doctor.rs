//! `doctor` finds each fault, says what to do, and shows no secret.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use inngest::signing::SigningKey;
use inngest::{NewEvent, Settings};
use inngest_dev_server::DevServer;
use prometei_flow::amocrm::SETTINGS;
use prometei_flow::clock::{SharedClock, SystemClock};
use prometei_flow::config::EnvMap;
use prometei_flow::doctor::{Finding, Status, examine, examine_within};
use prometei_flow::outbound::{Outbound, inngest_client};
use sandbox::{ErpFailure, FakeAmoCrm, FakeAmoCrmSettings, FakeErp, FakeErpSettings};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

const SIGNING_KEY: &str = "signkey-prod-8ee2262a15ac8d3c42d6a840db7af3de2aab08ef632b32a37a687f24";
const EVENT_KEY: &str = "event-key-5ecret";
const WEBHOOK_SECRET: &str = "webhook-5ecret-of-the-test";
const HOOK: &str = "https://deals.example.org/api/amocrm-webhook?secret=webhook-5ecret-of-the-test";

/// A world in which all is well.
struct World {
    amocrm: FakeAmoCrm,
    erp: FakeErp,
    variables: Vec<(String, String)>,
    _folder: TempDir,
    _stop: DropGuard,
}

impl World {
    async fn new() -> Self {
        let stop = CancellationToken::new();
        let port = async || TcpListener::bind("127.0.0.1:0").await.unwrap();
        let fake = FakeAmoCrmSettings::default();
        let amocrm = FakeAmoCrm::start(port().await, stop.clone(), fake.clone()).unwrap();
        amocrm.set_webhook(HOOK, &SETTINGS, false);
        let settings = FakeErpSettings::default();
        let erp = FakeErp::start(port().await, stop.clone(), settings.clone()).unwrap();
        let inngest = DevServer::builder()
            .signing_key(SigningKey::new(SIGNING_KEY))
            .event_key(EVENT_KEY)
            .serve(port().await, stop.clone())
            .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let database = format!("sqlite://{}/flow.db", folder.path().display());
        let variables = [
            ("INNGEST_BASE_URL", inngest.url().as_str().trim_end_matches('/')),
            ("INNGEST_SIGNING_KEY", SIGNING_KEY),
            ("INNGEST_EVENT_KEY", EVENT_KEY),
            ("INNGEST_SERVE_ORIGIN", "https://deals.example.org"),
            ("DATABASE_URL", &database),
            ("AMOCRM_WEBHOOK_SECRET", WEBHOOK_SECRET),
            ("AMOCRM_BASE_URL", amocrm.url().as_str()),
            ("AMOCRM_CLIENT_ID", &fake.client_id),
            ("AMOCRM_CLIENT_SECRET", &fake.client_secret),
            ("AMOCRM_REDIRECT_URI", &fake.redirect_uri),
            ("AMOCRM_REFRESH_TOKEN", &fake.refresh_token),
            ("AMOCRM_ACCOUNT_ID", "32452514"),
            ("CRM_API_URL", erp.url().as_str()),
            ("CRM_API_KEY", &settings.key),
            ("CRM_API_USERNAME", &settings.username),
            ("CRM_API_PASSWORD", &settings.password),
            ("CRM_FIELD_EXTERNAL_ID", "field_1041"),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        Self { amocrm, erp, variables, _folder: folder, _stop: stop.drop_guard() }
    }

    /// What is found with these variables changed.
    async fn findings(&self, changes: &[(&str, &str)]) -> Vec<Finding> {
        let variables = self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let env: EnvMap = variables.chain(changes.iter().copied()).collect();
        let findings = examine(&env, Arc::new(SystemClock)).await;
        for finding in &findings {
            let line = finding.to_string();
            assert!(!line.contains('\n'), "one line each: {line}");
            assert_eq!(finding.status == Status::Ok, finding.fix.is_none(), "{line}");
            for secret in [
                SIGNING_KEY,
                EVENT_KEY,
                WEBHOOK_SECRET,
                "fake-amocrm-secret",
                "fake-refresh",
                "fake-access",
            ] {
                assert!(!line.contains(secret), "{line}");
            }
        }
        findings
    }

    /// The status of `check`, with what it says.
    async fn finds(&self, changes: &[(&str, &str)], check: &str) -> (Status, String) {
        let findings = self.findings(changes).await;
        let found = findings.iter().find(|finding| finding.check == check);
        let found = found.unwrap_or_else(|| panic!("no {check} in {findings:#?}"));
        (found.status, found.to_string())
    }
}

fn assert_found(found: &(Status, String), status: Status, says: &str) {
    assert!(found.0 == status && found.1.contains(says), "{found:?}, not {status:?} {says}");
}

#[tokio::test]
async fn where_all_is_well_every_line_says_so() {
    let world = World::new().await;
    let findings = world.findings(&[]).await;
    let bad: Vec<_> = findings.iter().filter(|finding| finding.status != Status::Ok).collect();
    assert!(bad.is_empty(), "{bad:#?}");
    let checks: Vec<_> = findings.iter().map(|finding| finding.check).collect();
    assert_eq!(
        checks,
        [
            "variables",
            "inngest api",
            "inngest events",
            "tls",
            "clock",
            "amocrm token",
            "amocrm account",
            "amocrm webhook",
            "erp login",
            "erp fields",
            "erp marker field",
            "database"
        ]
    );
    let created = world.erp.count("insert");
    assert_eq!((created, world.erp.rows().len()), (0, 0), "looking changes nothing");
}

#[tokio::test]
async fn every_mistake_in_the_variables_is_told() {
    let world = World::new().await;
    let changes = [("CRM_API_URL", ""), ("PORT", "many"), ("INNGEST_EVENT_KEY", "")];
    let findings = world.findings(&changes).await;
    assert_eq!(findings.len(), 3, "{findings:#?}");
    assert!(findings.iter().all(|finding| finding.status == Status::Error));
    assert!(world.amocrm.requests().is_empty());
}

#[tokio::test]
async fn keys_that_inngest_does_not_know_are_found() {
    let world = World::new().await;
    let other = [("INNGEST_SIGNING_KEY", "signkey-prod-00112233")];
    let found = world.finds(&other, "inngest api").await;
    assert_found(&found, Status::Error, "refuses the signing key");
    let found = world.finds(&[("INNGEST_EVENT_KEY", "another")], "inngest events").await;
    assert_found(&found, Status::Error, "refuses the event key");
    let found = world.finds(&[("INNGEST_BASE_URL", "http://127.0.0.1:1")], "inngest api").await;
    assert_found(&found, Status::Error, "cannot be reached");
}

#[tokio::test]
async fn the_event_key_is_accepted_here_when_it_is_accepted_from_the_service() {
    let world = World::new().await;
    for (key, accepted) in [
        (EVENT_KEY, true),
        ("event-key-5ecret\n", true),
        ("event%2Dkey-5ecret", false),
        ("event-key/5ecret", false),
    ] {
        let found = world.finds(&[("INNGEST_EVENT_KEY", key)], "inngest events").await;
        assert_eq!(found.0 == Status::Ok, accepted, "{key}: {found:?}");
        let base = &world.variables[0].1;
        let settings = Settings::from_lookup(|name| match name {
            "INNGEST_BASE_URL" => Some(base.clone()),
            "INNGEST_EVENT_KEY" => Some(key.to_owned()),
            _ => None,
        });
        let clock: SharedClock = Arc::new(SystemClock);
        let client = inngest_client(settings.unwrap(), Outbound::new(), &clock);
        let sent = client.send(&[NewEvent::named("app/event", serde_json::json!({}))]).await;
        assert_eq!(sent.is_ok(), accepted, "{key}: {sent:?}");
    }
    let found = world.finds(&[("INNGEST_EVENT_KEY", "event-key/5ecret")], "variables").await;
    assert_found(&found, Status::Warning, "INNGEST_EVENT_KEY: has a `/`");
}

#[tokio::test]
async fn what_stands_before_inngest_is_not_taken_for_inngest() {
    let world = World::new().await;
    for (status, says) in [
        (404, "not how Inngest refuses an event"),
        (403, "proxy or firewall"),
        (301, "redirects are not followed"),
        (200, "not how Inngest takes events"),
    ] {
        let page = Router::new().fallback(move || async move {
            (http::StatusCode::from_u16(status).unwrap(), "<html><h1>Hello</h1></html>")
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, page).await });
        let changes = [("INNGEST_BASE_URL", url.as_str())];
        let found = world.finds(&changes, "inngest events").await;
        assert_found(&found, Status::Error, says);
        assert_ne!(world.finds(&changes, "inngest api").await.0, Status::Ok, "HTTP {status}");
    }
}

#[tokio::test]
async fn a_token_that_amocrm_refuses_is_found() {
    let world = World::new().await;
    world.amocrm.revoke();
    let found = world.finds(&[], "amocrm token").await;
    assert_found(&found, Status::Error, "amocrm authorize");
    let found = world.finds(&[("AMOCRM_BASE_URL", "http://127.0.0.1:1")], "amocrm token").await;
    assert_found(&found, Status::Error, "no connection");
}

#[tokio::test]
async fn a_token_of_another_account_is_found() {
    let world = World::new().await;
    let found = world.finds(&[("AMOCRM_ACCOUNT_ID", "7")], "amocrm account").await;
    assert_found(&found, Status::Error, "AMOCRM_ACCOUNT_ID says 7");
}

#[tokio::test]
async fn a_long_lived_token_that_ends_soon_is_found() {
    let world = World::new().await;
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    for (days, status) in [(400, Status::Ok), (20, Status::Warning), (0, Status::Error)] {
        let end = i64::try_from(now + days * 86_400 + 3600).unwrap();
        let token = world.amocrm.issue_long_lived_token(end);
        let found = world.finds(&[("AMOCRM_ACCESS_TOKEN", &token)], "amocrm token").await;
        assert_eq!(found.0, status, "{days} days: {}", found.1);
    }
}

#[tokio::test]
async fn a_webhook_that_is_not_as_it_should_be_is_found() {
    let world = World::new().await;
    world.amocrm.set_webhook(HOOK, &SETTINGS, true);
    assert_found(
        &world.finds(&[], "amocrm webhook").await,
        Status::Error,
        "switched the webhook off",
    );
    world.amocrm.set_webhook(HOOK, &SETTINGS[..1], false);
    assert_found(
        &world.finds(&[], "amocrm webhook").await,
        Status::Error,
        "add_lead, restore_lead",
    );

    let secret = [("AMOCRM_WEBHOOK_SECRET", "another-secret-of-the-test")];
    assert_found(&world.finds(&secret, "amocrm webhook").await, Status::Error, "no webhook for");
    let other = [("INNGEST_SERVE_ORIGIN", "https://other.example.org")];
    assert_found(&world.finds(&other, "amocrm webhook").await, Status::Error, "no webhook for");
    let stages = [other[0], ("AMOCRM_TRIGGER_STATUSES", "1:142")];
    assert_found(&world.finds(&stages, "amocrm webhook").await, Status::Warning, "reconciliation");
}

#[tokio::test]
async fn rights_that_are_missing_are_found() {
    let world = World::new().await;
    world.amocrm.configure(|amocrm| amocrm.is_admin = false);
    let found = world.finds(&[], "amocrm webhook").await;
    assert_found(&found, Status::Warning, "use the token of an administrator");
}

#[tokio::test]
async fn an_erp_that_does_not_let_us_in_is_found() {
    let world = World::new().await;
    for (variable, value, says) in [
        ("CRM_API_KEY", "wrong-key", "API Key mismatch"),
        ("CRM_API_PASSWORD", "wrong-password", "HTTP 500 without a body"),
        ("CRM_ENTITY_ID", "71", "entity 71 not found"),
        ("CRM_API_URL", "http://127.0.0.1:1/api/rest.php", "no connection"),
    ] {
        let found = world.finds(&[(variable, value)], "erp login").await;
        assert_found(&found, Status::Error, says);
    }
}

#[tokio::test]
async fn a_field_that_the_entity_does_not_have_is_found() {
    let world = World::new().await;
    let found = world.finds(&[("CRM_FIELD_AMOUNT", "field_77")], "erp fields").await;
    assert_found(&found, Status::Error, "entity 70 has no field_77");
}

#[tokio::test]
async fn a_marker_field_that_cannot_be_relied_on_is_found() {
    let world = World::new().await;
    let found = world.finds(&[("CRM_FIELD_EXTERNAL_ID", "")], "erp marker field").await;
    assert_found(&found, Status::Warning, "none is configured");

    world.erp.add_row([("field_1041", "7")]);
    world.erp.configure(|erp| erp.ignores_filters = true);
    let found = world.finds(&[], "erp marker field").await;
    assert_found(&found, Status::Error, "returned a record with");
}

#[tokio::test]
async fn a_database_that_cannot_be_opened_is_found() {
    let world = World::new().await;
    let found = world.finds(&[("DATABASE_URL", "sqlite:///nowhere/flow.db")], "database").await;
    assert_found(&found, Status::Error, "cannot create the database");
}

#[tokio::test]
async fn what_hangs_does_not_keep_the_rest_from_being_told() {
    let world = World::new().await;
    world.findings(&[]).await;
    world.erp.fail_next(9, ErpFailure::Hang);
    let variables = world.variables.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let (env, clock) = (variables.collect::<EnvMap>(), Arc::new(SystemClock));
    let findings = examine_within(Duration::from_secs(2), &env, clock).await;
    let status =
        |check: &str| findings.iter().find(|found| found.check == check).map(|found| found.status);
    assert_eq!(status("erp"), Some(Status::Error));
    for unharmed in ["inngest api", "amocrm webhook", "database"] {
        assert_eq!(status(unharmed), Some(Status::Ok), "{unharmed}");
    }
}
