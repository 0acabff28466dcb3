//! A service with everything around it.

use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};

use inngest::signing::SigningKey;
use inngest_dev_server::{DevServer, Observation};
use prometei_flow::app::{self, Listeners};
use prometei_flow::clock::{SharedClock, SystemClock};
use prometei_flow::config::{Config, EnvMap};
use prometei_flow::db::Db;
use prometei_flow::deals::{self, FailedDeal};
use sandbox::{FakeAmoCrm, FakeAmoCrmSettings, FakeErp, FakeErpSettings};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, MutexGuard, broadcast};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The official server tells apps apart by their URL, so there all tests share one and take turns.
const OFFICIAL_APP: &str = "127.0.0.1:13700";
static TURN: Mutex<()> = Mutex::const_new(());

const DEADLINE: Duration = Duration::from_secs(40);

pub(crate) struct World {
    pub(crate) amocrm: FakeAmoCrm,
    pub(crate) erp: FakeErp,
    pub(crate) service: String,
    inngest: Inngest,
    http: reqwest::Client,
    stop: CancellationToken,
    running: JoinHandle<anyhow::Result<()>>,
    folder: TempDir,
    _turn: Option<MutexGuard<'static, ()>>,
}

enum Inngest {
    Embedded { server: DevServer, seen: Mutex<broadcast::Receiver<Observation>> },
    Official { url: String },
}

/// The keys of a self-hosted server.
struct Keys<'a> {
    event: &'a str,
    signing: String,
}

const SIGNING_KEY: &str = "signkey-test-8ee2262a15ac8d3c42d6a840db7af3de2aab08ef632b32a37a687f24";
pub(crate) const WEBHOOK_SECRET: &str = "webhook-5ecret-of-the-test";

/// A run that has ended, as the official API tells it.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) status: String,
    pub(crate) output: Value,
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// With these variables changed; an empty value removes one.
    pub(crate) async fn start_with(changes: &[(&str, &str)]) -> Self {
        Self::start_at(changes, Arc::new(SystemClock), inngest_dev_server::SystemClock).await
    }

    /// With a self-hosted server that knows this event key and signs. `None`: the official server is none.
    pub(crate) async fn start_with_event_key(event: &str) -> Option<Self> {
        let signing = match official_server() {
            None => SIGNING_KEY.to_owned(),
            Some(_) => variable("INNGEST_TEST_SIGNING_KEY")?,
        };
        let keys = Keys { event, signing };
        let clocks = (Arc::new(SystemClock), inngest_dev_server::SystemClock);
        Some(Self::launch(&[], clocks.0, clocks.1, Some(keys)).await)
    }

    /// With a clock of its own, and another one for the embedded Inngest.
    pub(crate) async fn start_at(
        changes: &[(&str, &str)],
        clock: SharedClock,
        inngest_clock: impl inngest_dev_server::Clock,
    ) -> Self {
        Self::launch(changes, clock, inngest_clock, None).await
    }

    async fn launch(
        changes: &[(&str, &str)],
        clock: SharedClock,
        inngest_clock: impl inngest_dev_server::Clock,
        keys: Option<Keys<'_>>,
    ) -> Self {
        let stop = CancellationToken::new();
        let official = official_server();
        let turn = match &official {
            Some(_) => Some(TURN.lock().await),
            None => None,
        };
        let public = if official.is_some() { bind_again().await } else { free_port().await };
        let service = format!("http://{}", public.local_addr().unwrap());
        let inngest = match official {
            Some(url) => Inngest::Official { url },
            None => {
                let mut server = DevServer::builder();
                if let Some(keys) = &keys {
                    server =
                        server.event_key(keys.event).signing_key(SigningKey::new(&keys.signing));
                }
                let server = server
                    .app(format!("{service}/api/inngest").parse().unwrap())
                    .retry_interval(Duration::from_millis(20))
                    .clock(inngest_clock)
                    .serve(free_port().await, stop.clone())
                    .unwrap();
                let seen = Mutex::new(server.subscribe());
                Inngest::Embedded { server, seen }
            }
        };
        let amocrm =
            FakeAmoCrm::start(free_port().await, stop.clone(), FakeAmoCrmSettings::default())
                .unwrap();
        let erp =
            FakeErp::start(free_port().await, stop.clone(), FakeErpSettings::default()).unwrap();

        let folder = tempfile::tempdir().unwrap();
        let amocrm_settings = FakeAmoCrmSettings::default();
        let erp_settings = FakeErpSettings::default();
        let database = format!("sqlite://{}/flow.db", folder.path().display());
        let of_inngest = match &keys {
            None => vec![("INNGEST_DEV", inngest.url())],
            Some(keys) => vec![
                ("INNGEST_BASE_URL", inngest.url()),
                ("INNGEST_EVENT_KEY", keys.event),
                ("INNGEST_SIGNING_KEY", &keys.signing),
                ("INNGEST_SERVE_ORIGIN", &service),
                ("AMOCRM_WEBHOOK_SECRET", WEBHOOK_SECRET),
            ],
        };
        let variables = [
            ("DATABASE_URL", database.as_str()),
            ("AMOCRM_BASE_URL", amocrm.url().as_str()),
            ("AMOCRM_CLIENT_ID", &amocrm_settings.client_id),
            ("AMOCRM_CLIENT_SECRET", &amocrm_settings.client_secret),
            ("AMOCRM_REDIRECT_URI", &amocrm_settings.redirect_uri),
            ("AMOCRM_REFRESH_TOKEN", &amocrm_settings.refresh_token),
            ("CRM_API_URL", erp.url().as_str()),
            ("CRM_API_KEY", &erp_settings.key),
            ("CRM_API_USERNAME", &erp_settings.username),
            ("CRM_API_PASSWORD", &erp_settings.password),
        ];
        let env: EnvMap = variables.iter().chain(&of_inngest).chain(changes).copied().collect();
        let config = Config::load(&env).unwrap();
        let listeners = Listeners { public, admin: free_port().await };
        let running = tokio::spawn(app::run(config, listeners, clock, stop.clone()));

        let http = reqwest::Client::builder().timeout(Duration::from_secs(10)).build().unwrap();
        let world =
            Self { amocrm, erp, service, inngest, http, stop, running, folder, _turn: turn };
        world.register(keys.as_ref()).await;
        world
    }

    async fn register(&self, keys: Option<&Keys<'_>>) {
        let mut put = self.http.put(format!("{}/api/inngest", self.service));
        if let Some(keys) = keys {
            let now = i64::try_from(UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap();
            let signature = SigningKey::new(&keys.signing).sign(b"", now);
            put = put.header("x-inngest-signature", signature);
        }
        let put = put.send().await.unwrap();
        assert_eq!(put.status(), 200);
        assert_eq!(json(put).await["message"], "Successfully synced.");
    }

    /// Sends an event as another app would, and returns the run it starts, once that has ended.
    pub(crate) async fn run_of(&self, name: &str, data: Value) -> Run {
        let event = serde_json::json!({ "name": name, "data": data });
        let url = format!("{}/e/test", self.inngest.url());
        let sent = self.http.post(url).body(event.to_string()).send().await.unwrap();
        assert_eq!(sent.status(), 200);
        let id = json(sent).await["ids"][0].as_str().unwrap().to_owned();
        self.run_of_event(&id).await
    }

    async fn run_of_event(&self, event_id: &str) -> Run {
        let started = Instant::now();
        let runs = eventually("a run starts", async || {
            let runs = self.look_up(&format!("events/{event_id}/runs"), started).await;
            let runs = runs.as_array().filter(|runs| !runs.is_empty()).cloned()?;
            assert_eq!(runs.len(), 1, "{runs:?}");
            runs[0]["run_id"].as_str().map(str::to_owned)
        })
        .await;
        eventually("the run ends", async || {
            let run = self.look_up(&format!("runs/{runs}"), started).await;
            let ended = run["ended_at"].as_str().is_some_and(|ended| !ended.is_empty());
            let status = run["status"].as_str()?.to_owned();
            ended.then(|| Run { status, output: run["output"].clone() })
        })
        .await
    }

    /// Looks at the official REST API. The real server caches answers by URL, so each has a URL of its own.
    async fn look_up(&self, path: &str, started: Instant) -> Value {
        let nonce = started.elapsed().as_nanos();
        let url = format!("{}/v1/{path}?nonce={nonce}", self.inngest.url());
        let answer = self.http.get(url).send().await.unwrap();
        json(answer).await["data"].take()
    }

    /// The status of a page of the service. A redirect is not followed.
    pub(crate) async fn page(&self, path: &str) -> u16 {
        let browser = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
        let address = format!("{}{path}", self.service);
        browser.build().unwrap().get(address).send().await.unwrap().status().as_u16()
    }

    /// Posts a webhook, as amoCRM does.
    pub(crate) async fn webhook(&self, path: &str, body: &'static str) -> (u16, Value) {
        let request = self.http.post(format!("{}{path}", self.service)).body(body);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), json(answer).await)
    }

    /// The names and amounts of the ERP's records, once there are `count`.
    pub(crate) async fn records(&self, count: usize) -> Vec<(Value, Value)> {
        eventually("the records arrive", async || {
            let rows = self.erp.rows();
            (rows.len() >= count).then_some(rows)
        })
        .await
        .into_iter()
        .map(|row| {
            let field = |name: &str| row.fields.get(name).cloned().unwrap_or(Value::Null);
            (field("field_1039"), field("field_1040"))
        })
        .collect()
    }

    /// The deals that need a person.
    pub(crate) async fn failed_deals(&self) -> Vec<FailedDeal> {
        let url = format!("sqlite://{}/flow.db", self.folder.path().display());
        let store = Db::open(&url, Arc::new(SystemClock)).await.unwrap();
        deals::failed(&store, 10).await.unwrap()
    }

    /// How often the server has called the service so far; unknown of the official server.
    pub(crate) async fn calls(&self) -> Option<usize> {
        let Inngest::Embedded { seen, .. } = &self.inngest else { return None };
        let (mut seen, mut calls) = (seen.lock().await, 0);
        while let Ok(observation) = seen.try_recv() {
            // What happens after a run has failed is no call of the run.
            calls += usize::from(matches!(
                observation,
                Observation::CallMade { function_id, .. } if !function_id.ends_with("-failure")
            ));
        }
        Some(calls)
    }
}

impl World {
    /// Lets running calls finish: the official server would make them again in the world of the next test.
    pub(crate) async fn end(self) {
        self.stop.cancel();
        self.running.await.unwrap().unwrap();
    }
}

impl Inngest {
    fn url(&self) -> &str {
        match self {
            Self::Embedded { server, .. } => server.url().as_str().trim_end_matches('/'),
            Self::Official { url } => url,
        }
    }
}

fn official_server() -> Option<String> {
    Some(variable("INNGEST_TEST_SERVER")?.trim_end_matches('/').to_owned())
}

#[expect(
    clippy::disallowed_methods,
    reason = "which server to test against is asked of the environment"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

async fn free_port() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

/// The address was in use until the test before this one.
async fn bind_again() -> TcpListener {
    eventually("the address is free", async || TcpListener::bind(OFFICIAL_APP).await.ok()).await
}

async fn json(answer: reqwest::Response) -> Value {
    serde_json::from_str(&answer.text().await.unwrap()).unwrap()
}

/// Asks until there is an answer.
pub(crate) async fn eventually<T>(what: &str, ask: impl AsyncFn() -> Option<T>) -> T {
    let started = Instant::now();
    let mut pause = tokio::time::interval(Duration::from_millis(20));
    while started.elapsed() < DEADLINE {
        pause.tick().await;
        if let Some(answer) = ask().await {
            return answer;
        }
    }
    panic!("not within {DEADLINE:?}: {what}");
}
