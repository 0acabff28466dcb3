//! A dev server with one fake app, on loopback, with a clock that the test moves.

use std::sync::LazyLock;
use std::time::Duration;

use inngest::signing::SigningKey;
use inngest_dev_server::{Builder, DevServer, ManualClock, Observation};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use crate::fake_sdk::{Answer, Call, FakeSdk, Registration};

/// 2026-11-22T12:00:00.250Z
pub(crate) const NOW: i64 = 1_795_348_800_250;
/// How long a test waits for what must happen. Nothing is measured against it.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// One client for all tests: reading the machine's certificates takes longer than most of them. It keeps no connection,
/// because those belong to the runtime of one test.
pub(crate) fn client() -> reqwest::Client {
    static CLIENT: LazyLock<reqwest::Client> = LazyLock::new(|| {
        reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap()
    });
    CLIENT.clone()
}

/// A valid function configuration with one setting on top.
pub(crate) fn function_with(setting: &str, value: Value) -> Value {
    let mut config = function("app-fn", "app/event", 0);
    config[setting] = value;
    config
}

/// A valid function configuration.
pub(crate) fn function(id: &str, event: &str, retries: u32) -> Value {
    json!({
        "id": id,
        "name": id,
        "triggers": [{"event": event}],
        "steps": {"step": {
            "id": "step",
            "name": "step",
            "runtime": {"type": "http", "url": "set by World"},
            "retries": {"attempts": retries},
        }},
    })
}

pub(crate) fn payload(functions: &Value) -> Value {
    json!({
        "url": "http://127.0.0.1/api/inngest", "deployType": "ping", "appName": "app",
        "sdk": "fake:v0.1.0", "v": "0.1", "framework": "none", "functions": functions,
    })
}

/// Waits for the first observation that fits a pattern.
macro_rules! until {
    ($world:expr, $($pattern:pat $(if $guard:expr)? => $value:expr),+) => {
        $world
            .until(|seen| match seen {
                $($pattern $(if $guard)? => Some($value),)+
                _ => None,
            })
            .await
    };
}
pub(crate) use until;

pub(crate) struct World {
    pub(crate) server: DevServer,
    pub(crate) sdk: FakeSdk,
    pub(crate) clock: ManualClock,
    seen: broadcast::Receiver<Observation>,
}

impl World {
    /// One function `app-fn` on `app/event` with one retry.
    pub(crate) async fn simple(script: impl Fn(&Call) -> Answer + Send + Sync + 'static) -> Self {
        Self::start(json!([function("app-fn", "app/event", 1)]), script).await
    }

    /// A function that reports one op and, once the op has a result, returns that.
    pub(crate) async fn one_op(op: &str, opts: Value) -> Self {
        let op = json!([{"op": op, "id": "w", "name": "w", "opts": opts, "data": null}]);
        Self::simple(move |call: &Call| match call.memo("w") {
            None => Answer::ops(op.clone()),
            Some(memo) => Answer::done(json!({"memo": memo})),
        })
        .await
    }

    pub(crate) async fn start(
        functions: Value,
        script: impl Fn(&Call) -> Answer + Send + Sync + 'static,
    ) -> Self {
        Self::with(DevServer::builder(), None, functions, script).await
    }

    pub(crate) async fn with(
        builder: Builder,
        key: Option<SigningKey>,
        mut functions: Value,
        script: impl Fn(&Call) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let clock = ManualClock::new(NOW);
        let sdk = FakeSdk::start(script).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut builder = builder.app(sdk.url.clone()).poll_interval(None).clock(clock.clone());
        if let Some(key) = &key {
            builder = builder.signing_key(key.clone());
        }
        for function in functions.as_array_mut().unwrap() {
            let id = function["id"].as_str().unwrap();
            let mut url = sdk.url.clone();
            url.query_pairs_mut().append_pair("fnId", id).append_pair("stepId", "step");
            function["steps"]["step"]["runtime"]["url"] = json!(url.as_str());
        }
        sdk.registers(Registration {
            server: format!("http://{}", listener.local_addr().unwrap()).parse().unwrap(),
            token: key.map(|key| key.api_token().unwrap()),
            payload: payload(&functions),
        });
        let server = builder.serve(listener, CancellationToken::new()).unwrap();
        let seen = server.subscribe();
        server.sync_now().await.unwrap();
        Self { server, sdk, clock, seen }
    }

    /// Sends to the event API. Returns the status and the answer.
    pub(crate) async fn post_events(&self, body: impl Into<reqwest::Body>) -> (u16, Value) {
        let url = self.server.url().join("/e/test-key").unwrap();
        let response = client().post(url).body(body).send().await.unwrap();
        let status = response.status().as_u16();
        (status, serde_json::from_str(&response.text().await.unwrap()).unwrap())
    }

    /// Sends `app/event` and returns its internal id.
    pub(crate) async fn send(&self) -> String {
        let (status, answer) =
            self.post_events(json!({"name": "app/event", "data": {"n": 1}}).to_string()).await;
        assert_eq!(status, 200, "{answer}");
        answer["ids"][0].as_str().unwrap().to_owned()
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let url = self.server.url().join(path).unwrap();
        let text = client().get(url).send().await.unwrap().text().await.unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// Sends one event with this data and returns its internal id.
    pub(crate) async fn event(&self, name: &str, data: Value) -> String {
        let (status, answer) =
            self.post_events(json!({"name": name, "data": data}).to_string()).await;
        assert_eq!(status, 200, "{answer}");
        answer["ids"][0].as_str().unwrap().to_owned()
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let url = self.server.url().join(path).unwrap();
        let response = client().post(url).body(body.to_string()).send().await.unwrap();
        let status = response.status().as_u16();
        (status, serde_json::from_str(&response.text().await.unwrap()).unwrap())
    }

    /// Waits until a step waits, and returns for how long at most.
    pub(crate) async fn waiting(&mut self) -> Duration {
        until!(self, Observation::WaitStarted { timeout, .. } => timeout)
    }

    /// Waits until a run of `app-fn` starts (`true`), or an event for it is skipped.
    pub(crate) async fn started(&mut self) -> bool {
        until!(self, Observation::RunStarted { .. } => true, Observation::RunSkipped { .. } => false)
    }

    /// Waits until a run sleeps, and returns for how long.
    pub(crate) async fn asleep(&mut self) -> Duration {
        until!(self, Observation::SleepStarted { duration, .. } => duration)
    }

    /// Waits until a run is cancelled: its id.
    pub(crate) async fn cancelled(&mut self) -> String {
        until!(self, Observation::RunCancelled { run_id, .. } => run_id)
    }

    /// Waits for the first observation that `pick` takes.
    pub(crate) async fn until<T>(&mut self, mut pick: impl FnMut(Observation) -> Option<T>) -> T {
        let mut passed = Vec::new();
        let wait = async {
            loop {
                let observation = self.seen.recv().await.unwrap();
                passed.push(observation.clone());
                if let Some(picked) = pick(observation) {
                    return picked;
                }
            }
        };
        match tokio::time::timeout(DEADLINE, wait).await {
            Ok(picked) => picked,
            Err(_) => panic!("not observed within {DEADLINE:?}; seen: {passed:#?}"),
        }
    }

    /// Waits for the end of a run of `app-fn`: its output, as `Ok` or `Err`.
    pub(crate) async fn end(&mut self) -> Result<Value, Value> {
        until!(self,
            Observation::RunCompleted { output, function_id, .. } if function_id == "app-fn" => Ok(output),
            Observation::RunFailed { output, function_id, .. } if function_id == "app-fn" => Err(output))
    }

    /// Waits until a retry is scheduled, lets its time come, and returns how long that was.
    pub(crate) async fn next_retry(&mut self) -> Duration {
        let after = until!(self, Observation::RetryScheduled { after, .. } => after);
        self.clock.advance(after);
        after
    }

    /// The error message of the failed run.
    pub(crate) async fn failure(&mut self) -> String {
        match self.end().await {
            Ok(output) => panic!("the run completed with {output}"),
            Err(output) => message(output),
        }
    }
}

/// What the error of a run says. What the server itself found is a text of JSON.
pub(crate) fn message(output: Value) -> String {
    let found = output.as_str().and_then(|text| serde_json::from_str(text).ok());
    let output: Value = found.unwrap_or(output);
    let error = output.get("error").filter(|error| error.is_object());
    error.unwrap_or(&output)["message"].as_str().unwrap_or_default().to_owned()
}
