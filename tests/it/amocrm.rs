mod leads;
mod renamed;
mod token_store;
mod tokens;

use std::sync::Arc;
use std::time::Duration;

use prometei_flow::amocrm::{
    AmoCrmAuth, AmoCrmClient, AmoCrmSettings, BaseUrl, OAuthApp, Timeouts,
};
use prometei_flow::clock::ManualClock;
use prometei_flow::outbound::Outbound;
use sandbox::{FakeAmoCrm, FakeAmoCrmSettings};
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

pub(crate) use token_store::MemoryTokenStore;

const DAY: Duration = Duration::from_secs(86_400);

/// An amoCRM account and what a client of it is made of.
pub(crate) struct Bench {
    pub(crate) amocrm: FakeAmoCrm,
    pub(crate) settings: AmoCrmSettings,
    store: MemoryTokenStore,
    pub(crate) clock: Arc<ManualClock>,
    _stop: DropGuard,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        let stop = CancellationToken::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let fake = FakeAmoCrmSettings::default();
        let amocrm = FakeAmoCrm::start(listener, stop.clone(), fake.clone()).unwrap();
        let settings = AmoCrmSettings {
            base_url: BaseUrl::new(amocrm.url().clone()).unwrap(),
            auth: AmoCrmAuth::OAuth(OAuthApp {
                client_id: fake.client_id,
                client_secret: fake.client_secret.into(),
                redirect_uri: fake.redirect_uri,
                first_refresh_token: Some(fake.refresh_token.into()),
            }),
            account_id: None,
            timeouts: Timeouts { handover: Duration::ZERO, ..Timeouts::default() },
        };
        let clock = Arc::new(ManualClock::new("2026-11-21T12:05:00Z".parse().unwrap()));
        Self {
            amocrm,
            settings,
            store: MemoryTokenStore::default(),
            clock,
            _stop: stop.drop_guard(),
        }
    }

    fn with(mut self, change: impl FnOnce(&mut AmoCrmSettings)) -> Self {
        change(&mut self.settings);
        self
    }

    fn with_long_lived_token(mut self, token: impl Into<SecretString>) -> Self {
        self.settings.auth = AmoCrmAuth::LongLived { token: token.into() };
        self
    }

    /// A client as after a start of the process: it knows what the store knows.
    fn client(&self) -> AmoCrmClient<MemoryTokenStore> {
        let clock = Arc::clone(&self.clock);
        AmoCrmClient::new(self.settings.clone(), self.store.clone(), Outbound::new(), clock)
    }

    fn generation(&self) -> Option<i64> {
        self.store.stored().map(|stored| stored.generation)
    }
}

fn impatient(settings: &mut AmoCrmSettings) {
    settings.timeouts.api = Duration::from_millis(500);
    settings.timeouts.oauth = Duration::from_millis(500);
}
