//! The server's side of a run: calls, saves, retries.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};
use sha1::{Digest as _, Sha1};

use super::finished::{RunError, StepRecord};
use crate::engine::Work;
use crate::{Endpoint, headers, json};

/// A run that takes more calls never ends.
const MAX_CALLS: usize = 5_000;

pub(super) struct Server {
    pub(super) endpoint: Endpoint,
    pub(super) function_id: String,
    pub(super) max_attempts: u32,
    pub(super) run_id: String,
    pub(super) events: Vec<Value>,
    pub(super) memo: BTreeMap<String, Value>,
    pub(super) stack: Vec<String>,
    pub(super) mocks: HashMap<String, Value>,
    pub(super) steps: Vec<StepRecord>,
    pub(super) calls: usize,
}

pub(super) fn hash(id: &str) -> String {
    hex::encode(Sha1::digest(id))
}

#[derive(Deserialize)]
struct Op {
    op: String,
    id: String,
    #[serde(default)]
    opts: Value,
    #[serde(default)]
    data: Value,
    #[serde(default)]
    error: Value,
    userland: Userland,
}

#[derive(Deserialize)]
struct Userland {
    id: String,
    #[serde(default)]
    index: u32,
}

impl Userland {
    fn unique(&self) -> String {
        if self.index == 0 { self.id.clone() } else { format!("{}:{}", self.id, self.index) }
    }
}

/// What the endpoint replied.
enum Reply {
    Ended(Result<Value, RunError>),
    Retry,
    Ops { ops: Vec<Op>, is_final: bool, delay: Option<Duration> },
}

type Ended = Result<Value, RunError>;

impl Server {
    pub(super) fn save(&mut self, hash: &str, memo: Value) {
        // The first save counts, as on the server (P-158).
        if self.memo.insert(hash.to_owned(), memo).is_none() {
            self.stack.push(hash.to_owned());
        }
    }

    pub(super) async fn run(&mut self) -> Ended {
        let mut attempt = 0;
        loop {
            match self.call("step", attempt).await {
                Reply::Ended(result) => return result,
                Reply::Retry => attempt += 1,
                Reply::Ops { ops, .. } if ops.is_empty() => {
                    return Err(problem("the function waits for nothing"));
                }
                Reply::Ops { ops, .. } => {
                    attempt = 0;
                    for op in ops {
                        if let Some(ended) = self.step(op).await {
                            return ended;
                        }
                    }
                }
            }
        }
    }

    /// Does what one operation asks for.
    async fn step(&mut self, op: Op) -> Option<Ended> {
        let mock = self.mocks.get(&op.userland.unique()).cloned();
        let memo = match (op.op.as_str(), mock) {
            ("WaitForEvent", Some(mock)) => mock.get("data").cloned().unwrap_or(mock),
            (Work::INVOKE, Some(mut mock)) => {
                if let Some(result) = mock.get_mut("data") {
                    *result = output(result.take());
                }
                mock
            }
            (_, Some(mock)) => mock,
            ("StepPlanned", None) => return self.execute(op).await,
            ("StepRun", None) => json!({ "data": op.data.clone() }),
            // Sleeps are over, and what is not sent does not come.
            ("Sleep" | "WaitForEvent" | "WaitForSignal", None) => Value::Null,
            (other, None) => {
                let id = op.userland.unique();
                return Some(Err(problem(&format!(
                    "step `{id}` ({other}) leaves the process; give it a result with `mock`"
                ))));
            }
        };
        self.finish(&op, 0, Vec::new(), memo);
        None
    }

    /// Runs a step's code until it succeeds or finally fails.
    async fn execute(&mut self, planned: Op) -> Option<Ended> {
        let (mut attempt, mut delays) = (0, Vec::new());
        loop {
            let (ops, is_final, delay) = match self.call(&planned.id, attempt).await {
                Reply::Ended(result) => return Some(result),
                Reply::Retry => {
                    attempt += 1;
                    continue;
                }
                Reply::Ops { ops, is_final, delay } => (ops, is_final, delay),
            };
            attempt += 1;
            let Some(done) = ops.into_iter().find(|op| op.id == planned.id) else {
                return Some(Err(problem("the function did not run the step it was asked for")));
            };
            let memo = match done.op.as_str() {
                "StepRun" => json!({ "data": done.data }),
                failed => {
                    delays.push(delay);
                    if !is_final && failed != "StepFailed" && attempt < self.max_attempts {
                        continue;
                    }
                    json!({ "error": done.error })
                }
            };
            self.finish(&planned, attempt, delays, memo);
            return None;
        }
    }

    fn finish(&mut self, op: &Op, attempts: u32, delays: Vec<Option<Duration>>, memo: Value) {
        let message = memo.pointer("/error/message").and_then(Value::as_str).map(str::to_owned);
        let memo = given_back(memo);
        let data = || memo.get("data").unwrap_or(&memo).clone();
        let result = message.map_or_else(|| Ok(data()), Err);
        let (id, kind, opts) = (op.userland.unique(), op.op.clone(), op.opts.clone());
        self.steps.push(StepRecord { id, op: kind, opts, attempts, delays, result });
        self.save(&op.id, memo);
    }

    async fn call(&mut self, step: &str, attempt: u32) -> Reply {
        self.calls += 1;
        if self.calls > MAX_CALLS {
            return Reply::Ended(Err(problem("the run does not end: 5000 calls were made")));
        }
        let first = self.events.first().cloned().unwrap_or_else(|| json!({ "name": "none" }));
        let body = given_back(json!({
            // Steps are planned first, so that a mock can take their place.
            "ctx": { "run_id": self.run_id, "attempt": attempt, "max_attempts": self.max_attempts,
                     "disable_immediate_execution": true,
                     "stack": { "stack": self.stack, "current": self.stack.len() } },
            "event": first, "events": self.events, "steps": self.memo, "version": 2,
        }));
        let mut request = http::Request::new(Bytes::from(body.to_string()));
        *request.method_mut() = Method::POST;
        match format!("/api/inngest?fnId={}&stepId={step}", self.function_id).parse() {
            Ok(uri) => *request.uri_mut() = uri,
            Err(_) => return Reply::Ended(Err(problem("the function's id makes no URL"))),
        }
        if let Ok(parent) = self.traceparent().parse() {
            request.headers_mut().insert("traceparent", parent);
        }
        let response = self.endpoint.handle(request).await;
        self.read(&response, attempt)
    }

    /// One trace for each run, one span for each call.
    fn traceparent(&self) -> String {
        let (trace, span) = (hash(&self.run_id), hash(&format!("{}/{}", self.run_id, self.calls)));
        format!("00-{}-{}-01", &trace[..32], &span[..16])
    }

    fn read(&self, response: &http::Response<Bytes>, attempt: u32) -> Reply {
        let header = |name: header::HeaderName| {
            response.headers().get(name).and_then(|value| value.to_str().ok())
        };
        let is_final = header(headers::NO_RETRY) == Some("true");
        let delay = header(header::RETRY_AFTER).and_then(|seconds| seconds.parse().ok());
        let body = || serde_json::from_slice::<Value>(response.body()).unwrap_or_default();
        match response.status() {
            StatusCode::PARTIAL_CONTENT => match serde_json::from_slice(response.body()) {
                Ok(ops) => Reply::Ops { ops, is_final, delay: delay.map(Duration::from_secs) },
                Err(error) => Reply::Ended(Err(problem(&format!("unreadable ops: {error}")))),
            },
            status if status.is_success() => Reply::Ended(Ok(output(body()))),
            _ if !is_final && attempt + 1 < self.max_attempts => Reply::Retry,
            _ => {
                let error = body();
                let text = |field| error.get(field).and_then(Value::as_str).map(str::to_owned);
                let message = text("message").unwrap_or_else(|| "no reason given".to_owned());
                let name = text("name").unwrap_or_else(|| "Error".to_owned());
                Reply::Ended(Err(RunError { name, message, is_final, attempts: attempt + 1 }))
            }
        }
    }
}

/// What a call says, as the server writes it (P-062).
fn given_back(value: Value) -> Value {
    let text = json::as_given_back(&value);
    text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or(value)
}

/// What a function returned, as the server keeps it (P-115).
fn output(returned: Value) -> Value {
    let text = returned.as_str().filter(|text| text.starts_with('{'));
    match text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or(returned) {
        object @ Value::Object(_) => given_back(object),
        other => other,
    }
}

/// The test itself is wrong, or the function can only be run by a real server.
fn problem(message: &str) -> RunError {
    let (name, message) = ("Error".to_owned(), message.to_owned());
    RunError { name, message, is_final: true, attempts: 1 }
}
