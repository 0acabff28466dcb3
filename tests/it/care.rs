//! What is looked after while nothing happens.

use std::sync::Arc;
use std::time::Duration;

use crate::amocrm::MemoryTokenStore;
use functions::ports::AmoCrm as _;
use prometei_flow::amocrm::hook::Destination;
use prometei_flow::amocrm::watch::Caretaker;
use prometei_flow::amocrm::{
    AmoCrmAuth, AmoCrmClient, AmoCrmSettings, BaseUrl, OAuthApp, SETTINGS, Timeouts,
};
use prometei_flow::clock::{Clock as _, ManualClock};
use prometei_flow::metrics::Metrics;
use prometei_flow::outbound::Outbound;
use sandbox::{FakeAmoCrm, FakeAmoCrmSettings};
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

const DAY: Duration = Duration::from_secs(86_400);
const HOOK: &str = "https://deals.example.org/api/amocrm-webhook?secret=s";

struct House {
    amocrm: FakeAmoCrm,
    client: AmoCrmClient<MemoryTokenStore>,
    clock: Arc<ManualClock>,
    metrics: Metrics,
    _stop: DropGuard,
}

impl House {
    async fn new(token: impl FnOnce(&FakeAmoCrm) -> Option<SecretString>) -> Self {
        let stop = CancellationToken::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let fake = FakeAmoCrmSettings::default();
        let amocrm = FakeAmoCrm::start(listener, stop.clone(), fake.clone()).unwrap();
        let app = AmoCrmAuth::OAuth(OAuthApp {
            client_id: fake.client_id,
            client_secret: fake.client_secret.into(),
            redirect_uri: fake.redirect_uri,
            first_refresh_token: Some(fake.refresh_token.into()),
        });
        let auth = token(&amocrm).map_or(app, |token| AmoCrmAuth::LongLived { token });
        let settings = AmoCrmSettings {
            base_url: BaseUrl::new(amocrm.url().clone()).unwrap(),
            auth,
            account_id: None,
            timeouts: Timeouts { handover: Duration::ZERO, ..Timeouts::default() },
        };
        let clock = Arc::new(ManualClock::new("2026-11-22T12:00:00Z".parse().unwrap()));
        let store = MemoryTokenStore::default();
        let client = AmoCrmClient::new(settings, store, Outbound::new(), clock.clone());
        Self { amocrm, client, clock, metrics: Metrics::new(), _stop: stop.drop_guard() }
    }

    fn caretaker(&self, watches: bool) -> Caretaker<MemoryTokenStore> {
        let origin = "https://deals.example.org".parse().unwrap();
        let destination = watches.then(|| Destination::new(&origin, Some(&"s".into())));
        let clock = self.clock.clone();
        Caretaker::new(self.client.clone(), destination, clock, self.metrics.clone())
    }

    fn assert_metric(&self, name: &str, value: i64) {
        let (text, line) = (self.metrics.render(), format!("prometei_flow_{name} {value}\n"));
        assert!(text.contains(&line), "{line} is not in\n{text}");
    }
}

#[tokio::test]
async fn an_idle_refresh_token_is_used_once_a_week() {
    let house = House::new(|_| None).await;
    let mut caretaker = house.caretaker(false);
    for (days, exchanges) in [(0, 1), (6, 1), (1, 2), (6, 2), (1, 3)] {
        house.clock.advance(DAY * days);
        caretaker.look().await;
        assert_eq!(house.amocrm.exchanges(), exchanges, "after {days} more days");
    }
    assert_eq!(house.amocrm.refresh_tokens_spent_twice(), 0);
}

#[tokio::test]
async fn dead_tokens_are_a_metric_until_they_are_replaced() {
    let house = House::new(|_| None).await;
    let mut caretaker = house.caretaker(false);
    caretaker.look().await;
    house.assert_metric("amocrm_needs_reauth", 0);

    house.amocrm.revoke();
    house.clock.advance(DAY);
    house.client.authorize().await.unwrap_err();
    caretaker.look().await;
    house.assert_metric("amocrm_needs_reauth", 1);

    house.client.adopt_code(house.amocrm.issue_code().into()).await.unwrap();
    caretaker.look().await;
    house.assert_metric("amocrm_needs_reauth", 0);
}

#[tokio::test]
async fn somebody_notices_when_amocrm_stops_calling() {
    let house = House::new(|_| None).await;
    let mut caretaker = house.caretaker(true);
    house.assert_metric("amocrm_subscription", -1);
    caretaker.look().await;
    house.assert_metric("amocrm_subscription", 0);
    house.amocrm.set_webhook(HOOK, &SETTINGS, false);
    caretaker.look().await;
    house.assert_metric("amocrm_subscription", 1);
    house.amocrm.set_webhook(HOOK, &SETTINGS, true);
    caretaker.look().await;
    house.assert_metric("amocrm_subscription", 0);
    house.amocrm.configure(|amocrm| amocrm.is_admin = false);
    caretaker.look().await;
    house.assert_metric("amocrm_subscription", -1);
}

#[tokio::test]
async fn the_days_of_a_long_lived_token_are_counted() {
    let end = "2026-12-25T12:00:00Z".parse::<jiff::Timestamp>().unwrap();
    let house =
        House::new(|amocrm| Some(amocrm.issue_long_lived_token(end.as_second()).into())).await;
    let mut caretaker = house.caretaker(false);
    for (days, left) in [(0, 33), (4, 29), (23, 6), (6, 0), (3, 0)] {
        house.clock.advance(DAY * days);
        caretaker.look().await;
        house.assert_metric("amocrm_long_lived_token_days", left);
    }
    assert!(house.clock.now() > end);
    assert_eq!(house.amocrm.exchanges(), 0);
}
