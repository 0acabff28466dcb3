//! What the official server answered, in `recorded.json`: the embedded one answers the same.
//!
//! `INNGEST_TEST_SERVER` has the official one asked instead, and with `INNGEST_RECORD=1` its answers are written down.
//! `INNGEST_TEST_SIGNING_KEY` says that it is a self-hosted one: it is asked for `keys` alone.

mod keys;
mod registrations;
mod replies;
mod requests;
mod waits;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::Method;
use inngest_dev_server::{DevServer, ManualClock};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use ulid::Ulid;

use crate::fake_sdk::{Answer, Call, FakeSdk};
use crate::sdk::{official_server, recording};
use crate::world::{NOW, client, function, payload};

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/recorded.json");
/// A run that has not ended by then never ends: the official server has some of these, the embedded one has none.
const DEADLINE: Duration = Duration::from_secs(60);
/// Tests that record write one file.
static FILE: Mutex<()> = Mutex::new(());

/// The answers to one table of questions, by the name of the question.
type Answers = BTreeMap<String, Value>;

/// The embedded server, or the official one.
struct Server {
    origin: String,
    embedded: Option<(DevServer, ManualClock)>,
    stop: CancellationToken,
}

impl Server {
    async fn start() -> Self {
        let stop = CancellationToken::new();
        if let Some(origin) = official_server().filter(|_| signing_key().is_none()) {
            return Self { origin, embedded: None, stop };
        }
        let clock = ManualClock::new(NOW);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = DevServer::builder()
            .poll_interval(None)
            .clock(clock.clone())
            .retry_interval(Duration::from_secs(1))
            .serve(listener, stop.clone())
            .unwrap();
        let origin = server.url().as_str().trim_end_matches('/').to_owned();
        Self { origin, embedded: Some((server, clock)), stop }
    }

    async fn ask(&self, method: Method, path: &str, body: String) -> (u16, Value) {
        ask(&self.origin, method, path, body).await
    }

    /// Sends one event for each case and waits until the runs that they start have ended. `meanwhile` is repeated.
    async fn play(
        &self,
        app: &App,
        cases: Vec<(String, Value)>,
        at_once: usize,
        meanwhile: impl AsyncFn(),
    ) -> BTreeMap<String, Run> {
        let pause = if self.embedded.is_some() { 20 } else { 200 };
        let mut pause = tokio::time::interval(Duration::from_millis(pause));
        for few in cases.chunks(at_once) {
            for (case, data) in few {
                let mut data = data.clone();
                data["case"] = json!(case);
                self.send(&app.event(), data).await;
            }
            let started = Instant::now();
            loop {
                let missing = app.missing(few);
                let is_late = started.elapsed() > DEADLINE;
                if missing.is_empty() || is_late && self.embedded.is_none() {
                    break;
                }
                assert!(!is_late, "these do not end: {missing:#?}");
                pause.tick().await;
                meanwhile().await;
                if let Some((_, clock)) = &self.embedded {
                    clock.advance(Duration::from_millis(500));
                }
            }
        }
        app.runs.lock().unwrap().clone()
    }

    async fn send(&self, name: &str, data: Value) {
        let event = json!({ "name": name, "data": data }).to_string();
        let (status, answer) = self.ask(Method::POST, "/e/key", event).await;
        assert_eq!(status, 200, "{answer}");
    }

    /// Compares the answers with those that are recorded, or records them. `kind` names the table.
    async fn judge(
        self,
        kind: &str,
        answers: Answers,
        same: impl Fn(&str, &Value, &Value) -> bool,
    ) {
        let is_official = self.embedded.is_none();
        self.stop.cancel();
        if let Some((server, _)) = self.embedded {
            server.shutdown().await;
        }
        judge(kind, &answers, is_official, same);
    }
}

/// A function, and one that is told how its runs end.
struct App {
    /// The official server remembers apps, so each has a name of its own.
    name: String,
    runs: Arc<Mutex<BTreeMap<String, Run>>>,
}

/// What became of one run.
#[derive(Clone, Default)]
struct Run {
    attempts: Vec<u64>,
    end: Option<Value>,
}

impl App {
    /// `script` is given the case and the call.
    async fn start(
        server: &Server,
        retries: u32,
        script: impl Fn(&str, &Call) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let name = format!("recorded-{}", Ulid::generate().to_string().to_lowercase());
        let app = Self { name, runs: Arc::default() };
        let (runs, function_id) = (Arc::clone(&app.runs), format!("{}-fn", app.name));
        let sdk = FakeSdk::start(move |call| {
            let data = &call.body["event"]["data"];
            let (event, is_run) = match call.function() == function_id {
                true => (data, true),
                false => (&data["event"]["data"], false),
            };
            let case = event["case"].as_str().unwrap();
            let mut runs = runs.lock().unwrap();
            let run = runs.entry(case.to_owned()).or_default();
            if is_run {
                run.attempts.push(call.attempt());
                return script(case, call);
            }
            run.end = Some(json!({ "status": data["_inngest"]["status"],
                "result": data["result"], "error": data["error"] }));
            Answer::done(Value::Null)
        })
        .await;
        app.register(server, &sdk, retries).await;
        app
    }

    async fn register(&self, server: &Server, sdk: &FakeSdk, retries: u32) {
        let runs = function(&format!("{}-fn", self.name), &self.event(), retries);
        let mut ends = function(&format!("{}-ended", self.name), "inngest/function.finished", 0);
        let condition = format!("event.data.function_id == '{}-fn'", self.name);
        ends["triggers"][0]["expression"] = json!(condition);
        let mut functions = json!([runs, ends]);
        for function in functions.as_array_mut().unwrap() {
            let mut url = sdk.url.clone();
            let id = function["id"].as_str().unwrap();
            url.query_pairs_mut().append_pair("fnId", id).append_pair("stepId", "step");
            function["steps"]["step"]["runtime"]["url"] = json!(url.as_str());
        }
        let mut payload = payload(&functions);
        payload["appName"] = json!(self.name);
        payload["url"] = json!(sdk.url.as_str());
        let answer = server.ask(Method::POST, "/fn/register", payload.to_string()).await;
        assert_eq!(answer.0, 200, "{}", answer.1);
    }

    /// The event that starts the function.
    fn event(&self) -> String {
        format!("recorded/{}", self.name)
    }

    fn missing(&self, cases: &[(String, Value)]) -> Vec<String> {
        let runs = self.runs.lock().unwrap();
        let is_over = |case: &str| runs.get(case).is_some_and(|run| run.end.is_some());
        cases.iter().map(|(case, _)| case.clone()).filter(|case| !is_over(case)).collect()
    }
}

/// The status and the body; a body that is no JSON is a text.
async fn ask(origin: &str, method: Method, path: &str, body: String) -> (u16, Value) {
    let url = format!("{origin}{path}");
    let sent = client().request(method, url).body(body).send().await.unwrap();
    let status = sent.status().as_u16();
    let text = sent.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or_else(|_| json!(text.trim())))
}

/// An answer as the table has it.
fn answered((status, body): (u16, Value)) -> Value {
    json!({ "status": status, "body": normal(body) })
}

fn judge(
    kind: &str,
    answers: &Answers,
    is_official: bool,
    same: impl Fn(&str, &Value, &Value) -> bool,
) {
    let file = FILE.lock().unwrap_or_else(PoisonError::into_inner);
    let text = std::fs::read_to_string(Path::new(PATH)).unwrap();
    let mut tables: Map<String, Value> = serde_json::from_str(&text).unwrap();
    if is_official && recording() {
        tables.insert(kind.to_owned(), json!(answers));
        std::fs::write(PATH, serde_json::to_string_pretty(&tables).unwrap() + "\n").unwrap();
    }
    drop(file);
    let recorded = tables[kind].as_object().unwrap();
    let mut different = Vec::new();
    for name in answers.keys().chain(recorded.keys().filter(|name| !answers.contains_key(*name))) {
        let (ours, theirs) = (answers.get(name), recorded.get(name));
        if !ours.zip(theirs).is_some_and(|(ours, theirs)| same(name, ours, theirs)) {
            let shown = |answer: Option<&Value>| answer.map_or("nothing".into(), Value::to_string);
            let (ours, theirs) = (shown(ours), shown(theirs));
            different.push(format!("{name}\n  {ours:.600}\n  recorded: {theirs:.600}"));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

/// The same but for the words: the embedded server says more of what it refuses, and nothing as Go's parser does.
fn same(ours: &Value, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Value::String(ours), Value::String(theirs)) => {
            let of_go = [
                "json: ",
                "invalid character ",
                "unexpected end of JSON",
                "unexpected EOF",
                "ulid: ",
                " with JCS: ",
                ": &{",
                ": \\u0026{",
            ];
            let cut = of_go.iter().filter_map(|words| theirs.find(words)).min();
            match cut {
                Some(cut) => ours.starts_with(&theirs[..cut]),
                None if theirs.len() > 10 => ours.starts_with(theirs.trim_end_matches('}')),
                None => ours == theirs,
            }
        }
        (Value::Array(ours), Value::Array(theirs)) => {
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(a, b)| same(a, b))
        }
        (Value::Object(ours), Value::Object(theirs)) => {
            ours.len() == theirs.len()
                && theirs.iter().all(|(key, b)| ours.get(key).is_some_and(|a| same(a, b)))
        }
        (ours, theirs) => ours == theirs,
    }
}

/// What differs from one answer to the next has no place in the table.
fn normal(value: Value) -> Value {
    match value {
        Value::String(text) => {
            let is_ulid = text.len() == 26
                && text.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase());
            let is_uuid = text.len() == 36 && text.bytes().filter(|b| *b == b'-').count() == 4;
            Value::String(match (is_ulid, is_uuid) {
                (true, _) => "<ulid>".to_owned(),
                (_, true) => "<uuid>".to_owned(),
                _ => text,
            })
        }
        // Of 5,001 events the real server names now 4,999 and now 5,000.
        Value::Array(items) if items.len() > 1000 => json!("thousands"),
        Value::Array(items) => items.into_iter().map(normal).collect(),
        Value::Object(fields) => {
            let known =
                fields.into_iter().filter(|(key, _)| !matches!(&**key, "metadata" | "modified"));
            Value::Object(known.map(|(key, value)| (key, normal(value))).collect())
        }
        value => value,
    }
}

/// The signing key of a self-hosted server.
#[expect(
    clippy::disallowed_methods,
    reason = "which server to test against is asked of the environment"
)]
fn signing_key() -> Option<String> {
    std::env::var("INNGEST_TEST_SIGNING_KEY").ok().filter(|key| !key.is_empty())
}
