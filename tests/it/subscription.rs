//! The webhook in amoCRM: found wanting, created, repaired.

use std::sync::Arc;

use crate::amocrm::MemoryTokenStore;
use prometei_flow::amocrm::hook::{Destination, Health, check, repair};
use prometei_flow::amocrm::{
    AmoCrmAuth, AmoCrmClient, AmoCrmSettings, ApiError, BaseUrl, SETTINGS, Timeouts,
};
use prometei_flow::clock::ManualClock;
use prometei_flow::outbound::Outbound;
use sandbox::{AmoCrmFailure, FakeAmoCrm, FakeAmoCrmSettings};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

const OURS: &str = "https://deals.example.org/api/amocrm-webhook?secret=new+secret";
const OLD: &str = "https://deals.example.org/api/amocrm-webhook?secret=old";

struct Account {
    amocrm: FakeAmoCrm,
    client: AmoCrmClient<MemoryTokenStore>,
    destination: Destination,
    _stop: DropGuard,
}

async fn account() -> Account {
    let stop = CancellationToken::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let amocrm = FakeAmoCrm::start(listener, stop.clone(), FakeAmoCrmSettings::default()).unwrap();
    let token = amocrm.issue_long_lived_token(1_895_349_100).into();
    let settings = AmoCrmSettings {
        base_url: BaseUrl::new(amocrm.url().clone()).unwrap(),
        auth: AmoCrmAuth::LongLived { token },
        account_id: None,
        timeouts: Timeouts::default(),
    };
    let clock = Arc::new(ManualClock::new("2026-11-22T12:00:00Z".parse().unwrap()));
    let client = AmoCrmClient::new(settings, MemoryTokenStore::default(), Outbound::new(), clock);
    let origin = "https://deals.example.org".parse().unwrap();
    let destination = Destination::new(&origin, Some(&"new secret".into()));
    Account { amocrm, client, destination, _stop: stop.drop_guard() }
}

impl Account {
    async fn health(&self) -> (Health, usize) {
        let found = check(&self.client, &self.destination).await.unwrap();
        (found.health, found.stale)
    }
}

#[tokio::test]
async fn each_fault_is_told_apart() {
    let account = account().await;
    assert_eq!(account.health().await, (Health::Missing, 0));
    account.amocrm.set_webhook("https://other.example/hook", &SETTINGS, false);
    assert_eq!(account.health().await, (Health::Missing, 0));
    account.amocrm.set_webhook(OLD, &SETTINGS, false);
    assert_eq!(account.health().await, (Health::Missing, 1));
    account.amocrm.set_webhook(OURS, &["status_lead", "delete_lead"], false);
    let drift = Health::Drift(vec!["add_lead", "restore_lead"]);
    assert_eq!(account.health().await, (drift, 1));
    account.amocrm.set_webhook(OURS, &SETTINGS, true);
    assert_eq!(account.health().await, (Health::Disabled, 1));
    account.amocrm.set_webhook(OURS, &SETTINGS, false);
    assert_eq!(account.health().await, (Health::Good, 1));
}

#[tokio::test]
async fn a_repair_leaves_one_webhook_of_ours_and_all_others_alone() {
    for (settings, disabled) in [(&SETTINGS[..1], false), (&SETTINGS[..], true)] {
        let account = account().await;
        account.amocrm.set_webhook(OURS, settings, disabled);
        account.amocrm.set_webhook(OLD, &SETTINGS, false);
        account.amocrm.set_webhook("https://other.example/hook", &["add_contact"], false);
        let (found, now) = repair(&account.client, &account.destination).await.unwrap();
        assert!(!found.is_good() && now.is_good(), "{found}; {now}");
        assert_eq!(account.amocrm.webhooks(), [OURS, "https://other.example/hook"]);
    }
}

#[tokio::test]
async fn a_repair_of_what_is_right_changes_nothing() {
    let account = account().await;
    repair(&account.client, &account.destination).await.unwrap();
    let sent = account.amocrm.requests().len();
    let (found, now) = repair(&account.client, &account.destination).await.unwrap();
    assert!(found.is_good() && now.is_good());
    assert!(account.amocrm.requests()[sent..].iter().all(|request| request.method == "GET"));
}

#[tokio::test]
async fn a_token_without_rights_blocks_nothing_else() {
    let account = account().await;
    account.amocrm.configure(|amocrm| amocrm.is_admin = false);
    let error = check(&account.client, &account.destination).await.unwrap_err();
    assert!(matches!(&error, ApiError::Forbidden(_)), "{error}");
    account.client.account().await.unwrap();
}

#[tokio::test]
async fn an_answer_that_quotes_the_secret_is_not_passed_on() {
    let account = account().await;
    let body = r#"{"validation-errors":[{"path":"https:\/\/deals.example.org\/?secret=new+secret"},"new secret"]}"#;
    account.amocrm.fail_next(1, AmoCrmFailure::Answer { status: 400, body: body.to_owned() });
    let error = account.client.subscribe(OURS).await.unwrap_err().to_string();
    assert!(error.contains("[secret]") && !error.contains("new"), "{error}");
}

#[tokio::test]
async fn the_secret_is_never_shown() {
    let account = account().await;
    account.amocrm.set_webhook(OLD, &SETTINGS, false);
    let webhooks = account.client.webhooks().await.unwrap();
    let (found, now) = repair(&account.client, &account.destination).await.unwrap();
    let shown = format!(
        "{webhooks:?} {:?} {} {found} {now}",
        account.destination,
        account.destination.shown()
    );
    assert!(!shown.contains("secret=") && !shown.contains("new"), "{shown}");
}
