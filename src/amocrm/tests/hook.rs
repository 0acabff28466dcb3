//! The webhook in amoCRM: missing or wrong, created, repaired.

use sandbox::AmoCrmFailure;

use super::Account;
use crate::amocrm::api::{AmoCrmClient, ApiError};
use crate::amocrm::hook::{Destination, Events, Health, check, repair};

const OURS: &str = "https://deals.example.org/api/amocrm-webhook?secret=new+secret";
const OLD: &str = "https://deals.example.org/api/amocrm-webhook?secret=old";

/// All that makes a record of a lead that enters a stage.
pub(super) const SETTINGS: [&str; 3] = ["add_lead", "restore_lead", "status_lead"];

/// An account, and the webhook that it must have.
struct Hooked {
    account: Account,
    client: AmoCrmClient,
    destination: Destination,
}

impl Hooked {
    async fn new() -> Self {
        let account = Account::new().await;
        let token = account.amocrm.issue_long_lived_token(1_895_349_100);
        let account = account.with_long_lived_token(token);
        let origin = "https://deals.example.org".parse().unwrap();
        let destination =
            Destination::new(&origin, Some(&"new secret".into()), Events::new(true, false));
        Self { client: account.client(), account, destination }
    }

    fn has_webhook(&self, destination: &str, settings: &[&str], disabled: bool) {
        self.account.amocrm.set_webhook(destination, settings, disabled);
    }

    async fn health(&self) -> (Health, usize) {
        let found = check(&self.client, &self.destination).await.unwrap();
        (found.health, found.stale)
    }
}

#[tokio::test]
async fn each_fault_is_recognised() {
    let hooked = Hooked::new().await;
    assert_eq!(hooked.health().await, (Health::Missing, 0));
    hooked.has_webhook("https://other.example/hook", &SETTINGS, false);
    assert_eq!(hooked.health().await, (Health::Missing, 0));
    hooked.has_webhook(OLD, &SETTINGS, false);
    assert_eq!(hooked.health().await, (Health::Missing, 1));
    hooked.has_webhook(OURS, &["status_lead", "delete_lead"], false);
    let incomplete = Health::Incomplete(vec!["add_lead", "restore_lead"]);
    assert_eq!(hooked.health().await, (incomplete, 1));
    hooked.has_webhook(OURS, &SETTINGS, true);
    assert_eq!(hooked.health().await, (Health::Disabled, 1));
    hooked.has_webhook(OURS, &SETTINGS, false);
    assert_eq!(hooked.health().await, (Health::Good, 1));
}

#[tokio::test]
async fn changes_are_subscribed_only_where_leads_are_followed() {
    let origin = "https://deals.example.org".parse().unwrap();
    for follows in [true, false] {
        let mut hooked = Hooked::new().await;
        let events = Events::new(true, false).and_changes(follows);
        hooked.destination = Destination::new(&origin, Some(&"new secret".into()), events);
        hooked.has_webhook(OURS, &["status_lead", "add_lead", "restore_lead"], false);
        let missing = Health::Incomplete(vec!["update_lead", "delete_lead"]);
        assert_eq!(hooked.health().await.0, if follows { missing } else { Health::Good });
        repair(&hooked.client, &hooked.destination).await.unwrap();
        assert_eq!(hooked.health().await.0, Health::Good);
        let requests = hooked.account.amocrm.requests();
        let posted: Vec<_> =
            requests.iter().filter(|sent| sent.method == http::Method::POST).collect();
        assert_eq!(posted.len(), usize::from(follows), "what is right is left alone");
        assert!(posted.iter().all(|sent| sent.text().contains("update_lead")));
    }
}

#[tokio::test]
async fn a_repair_leaves_one_webhook_of_ours_and_all_others_alone() {
    for (settings, disabled) in [(&SETTINGS[..1], false), (&SETTINGS[..], true)] {
        let hooked = Hooked::new().await;
        hooked.has_webhook(OURS, settings, disabled);
        hooked.has_webhook(OLD, &SETTINGS, false);
        hooked.has_webhook("https://other.example/hook", &["add_contact"], false);
        let (found, now) = repair(&hooked.client, &hooked.destination).await.unwrap();
        assert!(!found.is_good() && now.is_good(), "{found}; {now}");
        assert_eq!(hooked.account.amocrm.webhooks(), [OURS, "https://other.example/hook"]);
    }
}

#[tokio::test]
async fn a_repair_of_what_is_right_changes_nothing() {
    let hooked = Hooked::new().await;
    repair(&hooked.client, &hooked.destination).await.unwrap();
    let sent = hooked.account.amocrm.requests().len();
    let (found, now) = repair(&hooked.client, &hooked.destination).await.unwrap();
    assert!(found.is_good() && now.is_good());
    assert!(hooked.account.amocrm.requests()[sent..].iter().all(|request| request.method == "GET"));
}

#[tokio::test]
async fn a_token_without_rights_blocks_nothing_else() {
    let hooked = Hooked::new().await;
    hooked.account.amocrm.configure(|amocrm| amocrm.is_admin = false);
    let error = check(&hooked.client, &hooked.destination).await.unwrap_err();
    assert!(matches!(&error, ApiError::Forbidden(_)), "{error}");
    hooked.client.account().await.unwrap();
}

#[tokio::test]
async fn an_answer_that_quotes_the_secret_is_not_passed_on() {
    let hooked = Hooked::new().await;
    let body = r#"{"validation-errors":[{"path":"https:\/\/deals.example.org\/?secret=new+secret"},"new secret"]}"#;
    hooked
        .account
        .amocrm
        .fail_next(1, AmoCrmFailure::Answer { status: 400, body: body.to_owned() });
    let error = hooked.client.subscribe(OURS, &SETTINGS).await.unwrap_err().to_string();
    assert!(error.contains("[secret]") && !error.contains("new"), "{error}");
}

#[tokio::test]
async fn the_secret_is_never_shown() {
    let hooked = Hooked::new().await;
    hooked.has_webhook(OLD, &SETTINGS, false);
    let webhooks = hooked.client.webhooks().await.unwrap();
    let (found, now) = repair(&hooked.client, &hooked.destination).await.unwrap();
    let shown = format!(
        "{webhooks:?} {:?} {} {found} {now}",
        hooked.destination,
        hooked.destination.shown()
    );
    assert!(!shown.contains("secret=") && !shown.contains("new"), "{shown}");
}
