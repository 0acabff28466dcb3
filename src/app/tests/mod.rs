//! The end of the service, while the others take their time.

mod full_disk;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use functions::ports::{AmoCrm as _, Deal, DealKey, Erp as _};
use sandbox::DEADLINE;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{App, Listeners, Running};
use crate::clock::SystemClock;
use crate::config::{Config, EnvMap};
use crate::db::Db;
use crate::deals::{self, DealCounts};

const SOON: Duration = Duration::from_millis(200);

/// Where Inngest would find the service, if there were one.
const LISTENER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1);

/// A service whose counterparts take their time.
struct Service {
    running: Running,
    /// A permit for each request that has come.
    asked: Arc<Semaphore>,
    /// A permit lets one of them be answered.
    answers: Arc<Semaphore>,
    stop: CancellationToken,
    config: Config,
    folder: tempfile::TempDir,
    _counterpart: DropGuard,
}

impl Service {
    async fn start() -> Self {
        let counterpart = CancellationToken::new();
        let (asked, answers) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let address = serve_both(&asked, &answers, counterpart.clone()).await;
        let folder = tempfile::tempdir().unwrap();
        let config = configured(&folder, &address);
        let app = App::build(config.clone(), LISTENER, Arc::new(SystemClock)).await.unwrap();
        let stop = CancellationToken::new();
        let listeners = Listeners { public: free_port().await, admin: free_port().await };
        let running = app.spawn(listeners, &stop).unwrap();

        let _counterpart = counterpart.drop_guard();
        Self { running, asked, answers, stop, config, folder, _counterpart }
    }

    /// It is in the middle of an ERP call, whose caller has gone.
    async fn calls_the_erp(&self) {
        let erp = self.running.ledger.clone();
        leave_after_one(&self.asked, tokio::spawn(async move { erp.create(&deal()).await })).await;
    }

    /// It is in the middle of an exchange of tokens, whose caller has gone.
    async fn exchanges_tokens(&self) {
        let amocrm = self.running.amocrm.clone();
        leave_after_one(&self.asked, tokio::spawn(async move { amocrm.authorize().await })).await;
    }

    /// Ends once the one request that is under way is answered, and not before. Returns the next service on its database.
    async fn ends_after_the_answer(self) -> (App, tempfile::TempDir) {
        self.stop.cancel();
        let mut drained = pin!(self.running.drain(DEADLINE));
        assert!(timeout(SOON, &mut drained).await.is_err(), "it is waited for");
        self.answers.add_permits(1);
        in_time(drained).await;
        (App::build(self.config, LISTENER, Arc::new(SystemClock)).await.unwrap(), self.folder)
    }
}

fn configured(folder: &tempfile::TempDir, address: &str) -> Config {
    let database = format!("sqlite://{}/flow.db", folder.path().display());
    let env = EnvMap::from([
        ("INNGEST_DEV", "http://127.0.0.1:1"),
        ("DATABASE_URL", &database),
        ("AMOCRM_BASE_URL", address),
        ("AMOCRM_CLIENT_ID", "id"),
        ("AMOCRM_CLIENT_SECRET", "secret"),
        ("AMOCRM_REDIRECT_URI", "https://flow.example/oauth/callback"),
        ("AMOCRM_REFRESH_TOKEN", "refresh"),
        ("CRM_API_URL", address),
        ("CRM_API_KEY", "key"),
        ("CRM_API_USERNAME", "user"),
        ("CRM_API_PASSWORD", "password"),
    ]);
    Config::load(&env).unwrap()
}

/// An ERP and an amoCRM that answer once there is a permit.
async fn serve_both(
    asked: &Arc<Semaphore>,
    answers: &Arc<Semaphore>,
    stop: CancellationToken,
) -> String {
    let (asked, answers) = (Arc::clone(asked), Arc::clone(answers));
    let answer = async move |body: String| {
        // The question whether the ERP would take a record.
        if body.contains("\"insert\"") && !body.contains("field_1039") {
            return json!({ "status": "error", "error_message": "items is ampty" }).to_string();
        }
        asked.add_permits(1);
        answers.acquire().await.unwrap().forget();
        json!({
            "status": "success", "data": {"id": "119"},
            "access_token": "access", "refresh_token": "next", "expires_in": 86400,
        })
        .to_string()
    };
    let listener = free_port().await;
    let address = format!("http://{}", listener.local_addr().unwrap());
    let router = axum::Router::new().fallback(answer);
    tokio::spawn(stop.run_until_cancelled_owned(async { axum::serve(listener, router).await }));
    address
}

/// Ends `caller` once its request has come.
async fn leave_after_one<T>(asked: &Semaphore, caller: JoinHandle<T>) {
    in_time(asked.acquire()).await.unwrap().forget();
    caller.abort();
}

fn deal() -> Deal {
    let delivery_id = "01EVENT".to_owned();
    let key = DealKey::Lead { account_id: None, lead_id: 7, delivery_id };
    Deal {
        key,
        run_id: "R1".to_owned(),
        name: "A".to_owned(),
        amount: None,
        entity_id: None,
        fields: BTreeMap::new(),
        reports: 0,
    }
}

async fn free_port() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

async fn in_time<T>(waiting: impl Future<Output = T>) -> T {
    timeout(DEADLINE, waiting).await.unwrap()
}

#[tokio::test]
async fn an_erp_call_is_finished_before_the_service_ends() {
    let service = Service::start().await;
    service.calls_the_erp().await;
    let (app, _folder) = service.ends_after_the_answer().await;
    let done = DealCounts { done: 1, ..DealCounts::default() };
    assert_eq!(deals::counts(&app.db).await.unwrap(), done);
}

#[tokio::test]
async fn an_exchange_of_tokens_is_finished_before_the_service_ends() {
    let service = Service::start().await;
    service.exchanges_tokens().await;
    let (app, _folder) = service.ends_after_the_answer().await;
    in_time(app.amocrm.authorize()).await.expect("with the tokens that were stored");
}

#[tokio::test]
async fn the_service_ends_at_its_limit_although_an_erp_call_and_an_exchange_of_tokens_hang() {
    let service = Service::start().await;
    service.calls_the_erp().await;
    service.exchanges_tokens().await;
    service.stop.cancel();
    in_time(service.running.drain(SOON)).await;
}

#[tokio::test]
async fn a_start_ends_the_claims_of_the_service_before_it() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), Arc::new(SystemClock));
    let config = configured(&folder, "http://127.0.0.1:1");
    let killed = Db::open(&config.database.url, clock.clone()).await.unwrap();
    let mut transaction = killed.begin().await.unwrap();
    for claimed in [
        "INSERT INTO deals (deal_key, run_id, state, claimed_until, created_at, updated_at) \
         VALUES ('lead:7', 'R1', 'sending', 9000000000000, 0, 0)",
        "INSERT INTO inbox (id, deal_key, lead_id, payload, received_at, claimed_until) \
         VALUES ('E1', 'lead:7', 7, '{}', 0, 9000000000000)",
    ] {
        transaction.execute(sqlx::query(claimed)).await.unwrap();
    }
    transaction.commit().await.unwrap();

    let app = App::build(config, LISTENER, clock).await.unwrap();
    for held in ["SELECT COUNT(claimed_until) FROM deals", "SELECT COUNT(claimed_until) FROM inbox"]
    {
        let rows = app.db.fetch::<(i64,)>(sqlx::query_as(held)).await.unwrap();
        assert_eq!(rows, [(0,)], "{held}");
    }
}
