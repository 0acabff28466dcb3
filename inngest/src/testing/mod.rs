//! Runs a function in process, from its event to its result, as the server would: for tests of functions.
//!
//! Nothing is listening and nothing waits: sleeps are over at once, retries follow each other, events go into a list.
//! The calls themselves go through the real [`Endpoint`], so steps, errors, retries and decoding are
//! those of production. It needs the feature `testing`, a tokio runtime with time enabled, and nothing else.
//!
//! ```
//! use inngest::{Config, Context, EventData, Function, Result};
//! use serde_json::json;
//!
//! #[derive(serde::Deserialize)]
//! struct OrderPlaced { amount: u32 }
//! impl EventData for OrderPlaced { const NAME: &'static str = "shop/order.placed"; }
//!
//! struct Charge;
//!
//! impl Function for Charge {
//!     type Event = OrderPlaced;
//!     type Output = String;
//!     type OnFailure = ();
//!     fn config() -> Config { Config::id("charge") }
//!     async fn run(&self, cx: Context<'_, Self>) -> Result<String> {
//!         let id = cx.step.run("pay", async || Ok(format!("paid {}", cx.event.data.amount))).await?;
//!         cx.step.run("mail", async || -> Result<()> { Err("no mail server".into()) }).await?;
//!         Ok(id)
//!     }
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! // Its code runs where no mock stands in for it.
//! let run = inngest::testing::run(Charge).event(json!({ "amount": 5 })).mock("mail", json!(null)).await;
//! assert_eq!(run.output(), Some(&json!("paid 5")));
//! assert_eq!(run.step_ids(), ["pay", "mail"]);
//!
//! let run = inngest::testing::run(Charge).event(json!({ "amount": 5 })).await;
//! assert_eq!(run.error().unwrap().message, "no mail server");
//! assert_eq!(run.step("mail").unwrap().attempts, 5);
//! # });
//! ```

mod api;
mod finished;
mod server;

use std::collections::{BTreeMap, HashMap};
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::{
    App, BuildError, Client, Clock, Endpoint, FailureCause, Scheduled, Serve, Settings, Trigger,
};
use api::RecordedApi;
pub use finished::{Finished, RunError, StepRecord};
use server::Server;

/// What the server does with a function that sets no retries (P-079).
const DEFAULT_RETRIES: u8 = 4;
/// 2023-11-14, for calls whose time does not matter.
const NOW: Duration = Duration::from_secs(1_700_000_000);

/// Begins a run of `function`; await it to have it run to its end.
pub fn run(function: impl Serve) -> TestRun {
    TestRun::begin(function)
}

/// Begins a run of the failure handler of `function`, after a run that has failed with `cause`, which may be a text. The
/// events given to it are those of the failed run.
pub fn run_on_failure(function: impl Serve, cause: impl Into<FailureCause>) -> TestRun {
    TestRun { failed: Some(cause.into()), ..TestRun::begin(function) }
}

/// A run that has not begun.
#[must_use = "a test run does nothing until it is awaited"]
pub struct TestRun {
    endpoint: Result<Endpoint, BuildError>,
    function_id: String,
    event_name: String,
    retries: Option<u8>,
    run_id: String,
    events: Vec<Value>,
    memo: Vec<(String, Value)>,
    mocks: HashMap<String, Value>,
    /// Why the run failed whose handler this is.
    failed: Option<FailureCause>,
    api: RecordedApi,
}

impl TestRun {
    fn begin(function: impl Serve) -> Self {
        let api = RecordedApi::default();
        let clock = Clock::new(|| SystemTime::UNIX_EPOCH + NOW);
        let client =
            Client::with_sources(Settings::dev(), api.clone(), clock, |bytes| bytes.fill(0));
        let app = App::new("test", client).function(function);
        let served = app.functions().first();
        let triggers = served.map(|served| served.triggers.as_slice()).unwrap_or_default();
        let event = triggers.iter().find_map(Trigger::event_name);
        Self {
            function_id: served.map(|served| served.id.clone()).unwrap_or_default(),
            event_name: event.unwrap_or(Scheduled::NAME).to_owned(),
            retries: served.and_then(|served| served.config.retries),
            endpoint: app.build(),
            run_id: "01HF7YAT00TESTTESTTESTTEST".to_owned(),
            events: Vec::new(),
            memo: Vec::new(),
            mocks: HashMap::new(),
            failed: None,
            api,
        }
    }

    /// Starts it with an event that has this data, a JSON object; `null` is an empty one. The name is that of the function's
    /// event. Given more than once, the events are a batch.
    pub fn event(self, data: impl Into<Value>) -> Self {
        let name = self.event_name.clone();
        self.event_named(&name, data)
    }

    /// Starts it with an event of this name.
    pub fn event_named(mut self, name: &str, data: impl Into<Value>) -> Self {
        let data = match data.into() {
            Value::Null => json!({}),
            data => data,
        };
        let id = format!("event-{}", self.events.len());
        let ts = u64::try_from(NOW.as_millis()).unwrap_or_default();
        self.events.push(json!({ "id": id, "name": name, "data": data, "ts": ts }));
        self
    }

    /// The id of the run.
    pub fn run_id(self, id: impl Into<String>) -> Self {
        Self { run_id: id.into(), ..self }
    }

    /// Begins with this step done, as after a crash. Steps count as finished in the order in which they are given.
    pub fn finished_step(mut self, id: &str, result: impl Into<Value>) -> Self {
        self.memo.push((id.to_owned(), json!({ "data": result.into() })));
        self
    }

    /// Lets the step end with `result` instead of running its code, or instead of waiting for what it waits for. For
    /// an awaited event `result` is the event itself. The second step of the same id is `<id>:1`.
    pub fn mock(mut self, step: &str, result: impl Into<Value>) -> Self {
        self.mocks.insert(step.to_owned(), json!({ "data": result.into() }));
        self
    }

    /// Lets the step finally fail with this message.
    pub fn mock_error(mut self, step: &str, message: &str) -> Self {
        let error = json!({ "error": { "name": "Error", "message": message } });
        self.mocks.insert(step.to_owned(), error);
        self
    }

    /// The event that gives a handler the failed run (P-186).
    fn of_failure(mut self, failed: &FailureCause) -> Self {
        let FailureCause { name, message, stack, data, cause } = failed;
        let mut error = json!({ "error": message, "name": name, "message": message });
        let mut result = json!({ "name": name, "message": message });
        for (key, value) in [("stack", stack.clone().map(Value::from)), ("cause", cause.clone())] {
            if let Some(value) = value {
                error[key] = value.clone();
                result[key] = value;
            }
        }
        if let Some(data) = data {
            result["data"] = data.clone();
        }
        let data = json!({
            "function_id": self.function_id, "run_id": "01HF7YAT00FAILFAILFAILFAIL",
            "error": error, "result": result, "_inngest": { "status": "Failed" },
            "event": self.events.first(), "events": self.events,
        });
        self.function_id.push_str("-failure");
        self.retries = Some(1);
        self.events.clear();
        self.event_named("inngest/function.failed", data)
    }

    async fn finish(mut self) -> Finished {
        if let Some(failed) = self.failed.take() {
            self = self.of_failure(&failed);
        }
        let endpoint = match self.endpoint {
            Ok(endpoint) => endpoint,
            Err(error) => return Finished::refused(&error.to_string()),
        };
        if let Some(event) = self.events.iter().find(|event| !event["data"].is_object()) {
            return Finished::refused(&format!(
                "the data of an event is no JSON object: {}",
                event["data"]
            ));
        }
        if !endpoint.serves(&self.function_id) {
            return Finished::refused("the function has no failure handler");
        }
        let mut server = Server {
            endpoint,
            function_id: self.function_id,
            max_attempts: u32::from(self.retries.unwrap_or(DEFAULT_RETRIES)) + 1,
            run_id: self.run_id,
            events: self.events,
            memo: BTreeMap::new(),
            stack: Vec::new(),
            mocks: self.mocks,
            steps: Vec::new(),
            calls: 0,
        };
        for (id, result) in self.memo {
            server.save(&server::hash(&id), result);
        }
        let result = server.run().await;
        Finished { result, steps: server.steps, calls: server.calls, sent: self.api.sent() }
    }
}

impl IntoFuture for TestRun {
    type Output = Finished;
    type IntoFuture = Pin<Box<dyn Future<Output = Finished> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.finish())
    }
}
