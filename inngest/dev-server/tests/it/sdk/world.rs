//! An app of the real SDK, and a server that runs its functions.

use std::time::{Duration, Instant};

use inngest::{App, Client, ReqwestTransport, Settings};
use inngest_dev_server::{Clock, DevServer, Observation, SystemClock};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Mutex, MutexGuard, broadcast};
use tokio_util::sync::CancellationToken;
use ulid::Ulid;

use super::journal::{Entry, Journal};
use super::programs::{CheckpointedProgram, Double, PlainProgram};
use super::starts::{EveryMinute, Gather};
use crate::world::client;

/// The official server identifies apps by their URL, so there all tests share one and take turns.
const OFFICIAL_APP: &str = "127.0.0.1:13750";
static TURN: Mutex<()> = Mutex::const_new(());
/// A schedule comes every minute.
const DEADLINE: Duration = Duration::from_secs(70);

/// The two ways in which every program runs, by the event that starts it.
pub(crate) const MODES: [&str; 2] = ["e2e/plain", "e2e/checkpointed"];

pub(crate) struct World {
    app: String,
    server: Server,
    journal: Journal,
    stop: CancellationToken,
    _turn: Option<MutexGuard<'static, ()>>,
}

enum Server {
    Embedded { server: DevServer, seen: Mutex<broadcast::Receiver<Observation>> },
    Official { url: String },
}

/// A run that has ended.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) id: String,
    pub(crate) status: String,
    /// What the server says of it.
    pub(crate) output: Value,
    pub(crate) entry: Entry,
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::with(SystemClock).await
    }

    /// The embedded server takes its time from `clock`.
    pub(crate) async fn with(clock: impl Clock) -> Self {
        Self::of(clock, None).await
    }

    /// The answers of the app are streamed where they take long.
    pub(crate) async fn streaming() -> Self {
        Self::of(SystemClock, Some(Duration::from_millis(20))).await
    }

    async fn of(clock: impl Clock, streaming: Option<Duration>) -> Self {
        let official = official_server();
        let turn = match &official {
            Some(_) => Some(TURN.lock().await),
            None => None,
        };
        let stop = CancellationToken::new();
        let address = if official.is_some() { OFFICIAL_APP } else { "127.0.0.1:0" };
        let listener =
            eventually("the address is free", async || TcpListener::bind(address).await.ok()).await;
        let app = format!("http://{}", listener.local_addr().unwrap());
        let server = match official {
            Some(url) => Server::Official { url },
            None => {
                let server = DevServer::builder()
                    .poll_interval(None)
                    .clock(clock)
                    .retry_interval(Duration::from_millis(10))
                    .serve(TcpListener::bind(address).await.unwrap(), stop.clone())
                    .unwrap();
                let seen = Mutex::new(server.subscribe());
                Server::Embedded { server, seen }
            }
        };
        let journal = Journal::default();
        let mut settings = Settings::dev().with_origin(server.url());
        settings.streaming = streaming;
        let endpoint = App::new("e2e", Client::new(settings, ReqwestTransport::new(client())))
            .function(PlainProgram(journal.clone()))
            .function(CheckpointedProgram(journal.clone()))
            .function(Gather(journal.clone()))
            .function(EveryMinute(journal.clone()))
            .function(Double)
            .build()
            .unwrap();
        let router = endpoint.into_router("/api/inngest");
        let stopped = stop.clone().cancelled_owned();
        tokio::spawn(
            async move { axum::serve(listener, router).with_graceful_shutdown(stopped).await },
        );
        let url = format!("{app}/api/inngest");
        let put = client().put(&url).body(json!({"url": url}).to_string()).send().await.unwrap();
        assert_eq!(put.status(), 200, "{:?}", put.text().await);
        Self { app, server, journal, stop, _turn: turn }
    }

    pub(crate) fn app_url(&self) -> &str {
        &self.app
    }

    pub(crate) fn is_official(&self) -> bool {
        matches!(self.server, Server::Official { .. })
    }

    pub(crate) fn server_url(&self) -> &str {
        self.server.url()
    }

    /// Runs a program to its end.
    pub(crate) async fn run(&self, mode: &str, program: &str) -> Run {
        let event = self.begin(mode, program, &Ulid::generate().to_string()).await;
        self.end_of(&event).await
    }

    /// What is noted of a run, or under a name.
    pub(crate) fn noted(&self, run: &str) -> Entry {
        self.journal.entry(run)
    }

    /// Starts a program; the id of its event.
    pub(crate) async fn begin(&self, mode: &str, program: &str, key: &str) -> String {
        self.send(mode, json!({"program": program, "key": key, "origin": self.app})).await
    }

    pub(crate) async fn send(&self, name: &str, data: Value) -> String {
        let (status, answer) = self.post("/e/test", &json!([{"name": name, "data": data}])).await;
        assert_eq!(status, 200, "{answer}");
        answer["ids"][0].as_str().unwrap().to_owned()
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let url = format!("{}{path}", self.server.url());
        let response = client().post(url).body(body.to_string()).send().await.unwrap();
        let status = response.status().as_u16();
        (status, serde_json::from_str(&response.text().await.unwrap()).unwrap())
    }

    /// Waits for the end of the run that an event started.
    pub(crate) async fn end_of(&self, event: &str) -> Run {
        let run = match &self.server {
            Server::Embedded { seen, .. } => tokio::time::timeout(DEADLINE, observed(seen, event))
                .await
                .unwrap_or_else(|_| panic!("the run of {event} has not ended")),
            Server::Official { .. } => None,
        };
        let (run, status) = match run {
            Some(run) => run,
            None => self.found(event).await,
        };
        let output = self.look_up(&format!("runs/{run}")).await["output"].take();
        let entry = self.journal.entry(&run);
        Run { id: run, status, output, entry }
    }

    async fn found(&self, event: &str) -> (String, String) {
        let run = eventually("a run starts", async || {
            let runs = self.look_up(&format!("events/{event}/runs")).await;
            runs[0]["run_id"].as_str().map(str::to_owned)
        })
        .await;
        eventually("the run ends", async || {
            let found = self.look_up(&format!("runs/{run}")).await;
            let ended = found["ended_at"].as_str().is_some_and(|ended| !ended.is_empty());
            ended.then(|| (run.clone(), found["status"].as_str().unwrap_or_default().to_owned()))
        })
        .await
    }

    /// The real server caches answers by URL, so each has a URL of its own.
    async fn look_up(&self, path: &str) -> Value {
        let url = format!("{}/v1/{path}?nonce={}", self.server.url(), Ulid::generate());
        let answer = client().get(url).send().await.unwrap().text().await.unwrap();
        serde_json::from_str::<Value>(&answer).unwrap()["data"].take()
    }

    /// Lets running calls finish: the official server would make them again in the world of the next test.
    pub(crate) async fn end(self) {
        self.stop.cancel();
        if let Server::Embedded { server, .. } = &self.server {
            server.shutdown().await;
        }
    }
}

impl Server {
    fn url(&self) -> &str {
        match self {
            Self::Embedded { server, .. } => server.url().as_str().trim_end_matches('/'),
            Self::Official { url } => url,
        }
    }
}

/// The end of the run that an event started: its id and status. `None` where there was more to observe than fits.
async fn observed(
    seen: &Mutex<broadcast::Receiver<Observation>>,
    event: &str,
) -> Option<(String, String)> {
    let mut seen = seen.lock().await;
    let mut run = None;
    loop {
        let observation = match seen.recv().await {
            Ok(observation) => observation,
            Err(RecvError::Lagged(_)) => return None,
            Err(RecvError::Closed) => panic!("the server has stopped"),
        };
        let (id, status) = match observation {
            Observation::RunStarted { run_id, event_id, .. } if event_id == event => {
                run = Some(run_id);
                continue;
            }
            Observation::RunCompleted { run_id, .. } => (run_id, "Completed"),
            Observation::RunFailed { run_id, .. } => (run_id, "Failed"),
            Observation::RunCancelled { run_id, .. } => (run_id, "Cancelled"),
            _ => continue,
        };
        if run.as_ref() == Some(&id) {
            return Some((id, status.to_owned()));
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "which server to test against is asked of the environment"
)]
pub(crate) fn official_server() -> Option<String> {
    let url = std::env::var("INNGEST_TEST_SERVER").ok().filter(|url| !url.is_empty())?;
    Some(url.trim_end_matches('/').to_owned())
}

/// Whether the answers of the official server are to be written down.
#[expect(clippy::disallowed_methods, reason = "whether to record is asked of the environment")]
pub(crate) fn recording() -> bool {
    std::env::var("INNGEST_RECORD").is_ok_and(|value| value == "1")
}

/// Repeats `nudge` until `over` is done: it cannot be seen from outside when a run begins to wait.
pub(crate) async fn nudging<T>(nudge: impl AsyncFn(), over: impl Future<Output = T>) -> T {
    tokio::pin!(over);
    let mut pause = tokio::time::interval(Duration::from_millis(20));
    loop {
        tokio::select! {
            over = &mut over => return over,
            _ = pause.tick() => nudge().await,
        }
    }
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
