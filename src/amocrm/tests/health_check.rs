//! The health check: tokens stay alive, and metrics show what only a person can put right.

use secrecy::SecretString;

use super::hook::SETTINGS;
use super::{Account, DAY};
use crate::amocrm::api::AmoCrmClient;
use crate::amocrm::hook::{Destination, Events};
use crate::amocrm::watch::HealthCheck;
use crate::clock::Clock as _;
use crate::metrics::Metrics;

const HOOK: &str = "https://deals.example.org/api/amocrm-webhook?secret=s";

/// A service whose health is checked.
struct Checked {
    account: Account,
    client: AmoCrmClient,
    check: HealthCheck,
    metrics: Metrics,
}

impl Checked {
    async fn new() -> Self {
        Self::of(Account::new().await, None)
    }

    fn of(account: Account, destination: Option<Destination>) -> Self {
        let (client, metrics) = (account.client(), Metrics::new());
        let clock = account.clock.clone();
        let check = HealthCheck::new(client.clone(), destination, clock, metrics.clone());
        Self { account, client, check, metrics }
    }

    fn assert_metric(&self, name: &str, value: i64) {
        let (text, line) = (self.metrics.render(), format!("prometei_flow_{name} {value}\n"));
        assert!(text.contains(&line), "{line} is not in\n{text}");
    }
}

#[tokio::test]
async fn an_idle_refresh_token_is_used_once_a_week() {
    let mut it = Checked::new().await;
    for (days, exchanges) in [(0, 1), (6, 1), (1, 2), (6, 2), (1, 3)] {
        it.account.clock.advance(DAY * days);
        it.check.check().await;
        assert_eq!(it.account.amocrm.exchanges(), exchanges, "after {days} more days");
    }
    assert_eq!(it.account.amocrm.refresh_tokens_spent_twice(), 0);
}

#[tokio::test]
async fn dead_tokens_are_a_metric_until_they_are_replaced() {
    let mut it = Checked::new().await;
    it.check.check().await;
    it.assert_metric("amocrm_needs_reauth", 0);

    it.account.amocrm.revoke();
    it.account.clock.advance(DAY);
    it.client.authorize().await.unwrap_err();
    it.check.check().await;
    it.assert_metric("amocrm_needs_reauth", 1);

    it.client.auth().redeem_code(it.account.amocrm.issue_code().into()).await.unwrap();
    it.check.check().await;
    it.assert_metric("amocrm_needs_reauth", 0);
}

#[tokio::test]
async fn a_webhook_that_amocrm_no_longer_calls_is_a_metric() {
    let origin = "https://deals.example.org".parse().unwrap();
    let destination = Destination::new(&origin, Some(&"s".into()), Events::new(true, false));
    let mut it = Checked::of(Account::new().await, Some(destination));
    let amocrm = it.account.amocrm.clone();
    it.assert_metric("amocrm_subscription", -1);
    it.check.check().await;
    it.assert_metric("amocrm_subscription", 0);
    amocrm.set_webhook(HOOK, &SETTINGS, false);
    it.check.check().await;
    it.assert_metric("amocrm_subscription", 1);
    amocrm.set_webhook(HOOK, &SETTINGS, true);
    it.check.check().await;
    it.assert_metric("amocrm_subscription", 0);
    amocrm.configure(|amocrm| amocrm.is_admin = false);
    it.check.check().await;
    it.assert_metric("amocrm_subscription", -1);
}

#[tokio::test]
async fn the_end_of_a_long_lived_token_is_shown_and_that_of_a_pair() {
    let end = "2026-12-25T12:00:00Z".parse::<jiff::Timestamp>().unwrap();
    let account = Account::new().await;
    let token: SecretString = account.amocrm.issue_long_lived_token(end.as_second()).into();
    let mut it = Checked::of(account.with_long_lived_token(token), None);
    it.check.check().await;
    assert_eq!(it.client.auth().expiries().await.unwrap(), [("long_lived", end)]);
    assert_eq!(it.account.amocrm.exchanges(), 0);

    let mut it = Checked::new().await;
    assert_eq!(it.client.auth().expiries().await.unwrap(), []);
    it.check.check().await;
    let now = it.account.clock.now();
    let pair = [("access", now + DAY), ("refresh", now + DAY * 89)];
    assert_eq!(it.client.auth().expiries().await.unwrap(), pair);
}
