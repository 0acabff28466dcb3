//! amoCRM, as this service uses it: against an account that behaves like a real one, with a real database.

mod answers;
mod commits;
mod consent;
mod health_check;
mod hook;
mod killed;
mod leads;
mod mapped;
mod owners;
mod processes;
mod renamed;
mod replicas;
mod tokens;

use std::sync::Arc;
use std::time::Duration;

use functions::ports;
use sandbox::{DEADLINE, FakeAmoCrm, FakeAmoCrmSettings};
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::api::AmoCrmClient;
use super::auth::pair::{Owner, StoredTokenPair, TokenPair};
use super::auth::table::{self, Replaces, replace};
use super::mapping::Mapping;
use super::settings::{AmoCrmAuth, AmoCrmSettings, BaseUrl, OAuthApp, Timeouts};
use crate::clock::{Clock as _, ManualClock};
use crate::db::Db;
use crate::db::testing::Database;
use crate::outbound::Outbound;

const DAY: Duration = Duration::from_secs(86_400);

/// An amoCRM account, and what a client of it is made of.
struct Account {
    amocrm: FakeAmoCrm,
    settings: AmoCrmSettings,
    database: Database,
    db: Db,
    clock: Arc<ManualClock>,
    _stop: DropGuard,
}

impl Account {
    async fn new() -> Self {
        Self::on(Database::new().await).await
    }

    /// With a database for several replicas.
    async fn shared() -> Self {
        Self::on(Database::shared().await).await
    }

    async fn on(database: Database) -> Self {
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
            mapping: Mapping::default(),
            timeouts: Timeouts::default(),
        };
        let clock = Arc::new(ManualClock::new("2026-11-21T12:05:00Z".parse().unwrap()));
        let db = database.open(clock.clone()).await;
        Self { amocrm, settings, database, db, clock, _stop: stop.drop_guard() }
    }

    fn with(mut self, change: impl FnOnce(&mut AmoCrmSettings)) -> Self {
        change(&mut self.settings);
        self
    }

    fn without_refresh_token(self) -> Self {
        self.with(|settings| app(settings).first_refresh_token = None)
    }

    /// A client as after a start with `token` in `AMOCRM_REFRESH_TOKEN`.
    fn client_with_refresh_token(&mut self, token: &str) -> AmoCrmClient {
        app(&mut self.settings).first_refresh_token = Some(token.into());
        self.client()
    }

    fn with_long_lived_token(self, token: impl Into<SecretString>) -> Self {
        self.with(|settings| settings.auth = AmoCrmAuth::LongLived { token: token.into() })
    }

    /// A client as after a start of the process: it knows what the database knows.
    fn client(&self) -> AmoCrmClient {
        self.client_on(self.db.clone())
    }

    /// A client of another process or replica.
    fn client_on(&self, db: Db) -> AmoCrmClient {
        AmoCrmClient::new(self.settings.clone(), db, Outbound::new(), self.clock.clone())
    }

    /// The same database, as another process opens it.
    async fn another_db(&self) -> Db {
        self.database.open(self.clock.clone()).await
    }

    /// Waits until amoCRM has seen an exchange of tokens.
    async fn exchange_begins(&self) {
        let seen = async {
            while self.amocrm.exchanges() == 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(DEADLINE, seen).await.unwrap();
    }

    async fn stored(&self) -> Option<StoredTokenPair> {
        table::load(&self.db).await.unwrap()
    }

    async fn generation(&self) -> Option<i64> {
        self.stored().await.map(|stored| stored.generation)
    }

    /// Whose the pairs of its clients are.
    fn owner(&self) -> Owner {
        let AmoCrmAuth::OAuth(app) = &self.settings.auth else { panic!("OAuth is the default") };
        Owner { client_id: app.client_id.clone(), host: "127.0.0.1".to_owned(), seed: None }
    }

    /// Stores `pair` as another process does.
    async fn stores_elsewhere(&self, replaces: Replaces, pair: &TokenPair) -> bool {
        replace(&self.db, &self.owner(), replaces, pair).await.unwrap()
    }

    /// A pair that is issued now.
    fn pair(&self, access_token: &str) -> TokenPair {
        let now = self.clock.now();
        TokenPair {
            access_token: access_token.into(),
            refresh_token: format!("refresh of {access_token}").into(),
            obtained_at: now,
            expires_at: now + DAY,
        }
    }
}

fn app(settings: &mut AmoCrmSettings) -> &mut OAuthApp {
    match &mut settings.auth {
        AmoCrmAuth::OAuth(app) => app,
        AmoCrmAuth::LongLived { .. } => panic!("OAuth is the default"),
    }
}

/// The error as a function gets it.
fn refused<T, E: Into<ports::Error>>(result: Result<T, E>) -> ports::Error {
    match result {
        Ok(_) => panic!("it went well"),
        Err(error) => error.into(),
    }
}

/// An amoCRM that hangs is not waited for longer than an answer takes on a machine under load.
fn impatient(settings: &mut AmoCrmSettings) {
    settings.timeouts.api = Duration::from_secs(2);
    settings.timeouts.oauth = Duration::from_secs(2);
}
