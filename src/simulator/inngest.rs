//! An Inngest, as far as the service needs one: events, runs with memoised steps, retries, failure handlers, schedules. It
//! forgets everything when the script says so, and it protects the service from nothing: an event is told from another by
//! its id for 24 hours, and by nothing else.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use serde_json::{Map, Value, json};

/// How long the id of an event is remembered.
const REMEMBERED: Duration = Duration::from_secs(24 * 60 * 60);

/// The waits before attempts 2, 3, 4 and so on, in seconds.
const BACKOFF: [u64; 6] = [15, 30, 60, 120, 300, 600];

const FAILED: &str = "inngest/function.failed";

/// The server's state, which a restart may lose.
#[derive(Default)]
pub(super) struct Inngest {
    functions: Vec<Function>,
    seen: BTreeMap<(String, String), Duration>,
    runs: BTreeMap<String, Run>,
}

#[derive(Clone)]
struct Function {
    id: String,
    url: String,
    triggers: Vec<Value>,
    attempts: u32,
}

struct Run {
    function: Function,
    event: Value,
    memo: Map<String, Value>,
    stack: Vec<String>,
    attempt: u32,
    /// Grows with each call: the answer to an older one counts no more.
    call: u32,
}

/// What follows from something: a call of a run after a while, and lines for the story.
#[derive(Default)]
pub(super) struct Effects {
    pub(super) calls: Vec<(String, Duration)>,
    pub(super) story: Vec<String>,
    /// An event came of which nothing comes.
    pub(super) starts_nothing: bool,
    /// A run has ended without success.
    pub(super) failed: bool,
    /// A failure handler has failed too: the service has heard nothing.
    pub(super) nothing_heard: bool,
}

/// How a call ended.
pub(super) enum Answered {
    By(StatusCode, Option<String>, bool, Bytes),
    Unreachable,
}

impl Inngest {
    pub(super) fn knows_functions(&self) -> bool {
        !self.functions.is_empty()
    }

    /// Everything is lost. Returns how many runs.
    pub(super) fn forget(&mut self) -> usize {
        std::mem::take(self).runs.len()
    }

    /// The run is gone, as if it had never begun.
    pub(super) fn lose(&mut self, id: &str) {
        self.runs.remove(id);
    }

    /// Answers a request of the service.
    pub(super) fn answer(
        &mut self,
        request: &Request<Bytes>,
        now: Duration,
        effects: &mut Effects,
    ) -> Response<Bytes> {
        let path = request.uri().path();
        let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
        if path.starts_with("/e/") {
            let events = body.as_array().cloned().unwrap_or_else(|| vec![body]);
            let ids: Vec<String> =
                events.iter().map(|event| self.take(event, now, effects)).collect();
            return reply(200, &json!({ "ids": ids, "status": 200 }));
        }
        if path.starts_with("/v1/checkpoint/") {
            let run = body["run_id"].as_str().unwrap_or_default();
            let Some(run) = self.runs.get_mut(run) else {
                return reply(400, &json!({ "error": "run not found in state store" }));
            };
            for step in body["steps"].as_array().into_iter().flatten() {
                run.save(step, json!({ "data": step["data"] }));
            }
            return Response::new(Bytes::new());
        }
        if path.starts_with("/v1/apps/") {
            let known: Vec<_> =
                self.functions.iter().map(|function| json!({ "id": function.id })).collect();
            return reply(200, &json!(Some(known).filter(|known| !known.is_empty())));
        }
        if path == "/fn/register" {
            self.functions = functions(&body);
            effects.story.push("Inngest is told the functions".to_owned());
            return reply(200, &json!({ "ok": true, "modified": true }));
        }
        reply(404, &json!({ "error": "not found" }))
    }

    /// Takes an event. Returns its id.
    pub(super) fn take(&mut self, event: &Value, now: Duration, effects: &mut Effects) -> String {
        let id = match event["id"].as_str() {
            Some(id) if !id.is_empty() => id.to_owned(),
            _ => format!("E{}", now.as_nanos()),
        };
        let starts: Vec<Function> =
            self.functions.iter().filter(|function| function.starts_by(event)).cloned().collect();
        if starts.is_empty() && event["name"] != FAILED {
            effects.starts_nothing = true;
            effects
                .story
                .push(format!("Inngest takes an event ({}) that starts nothing", event["name"]));
        }
        for function in starts {
            let key = (function.id.clone(), id.clone());
            if self.seen.get(&key).is_some_and(|at| now < *at + REMEMBERED) {
                continue;
            }
            self.seen.insert(key, now);
            let mut event = event.clone();
            event["id"] = json!(id);
            self.start(function, event, now, effects);
        }
        id
    }

    /// Starts what runs by a schedule.
    pub(super) fn tick(&mut self, now: Duration, effects: &mut Effects) {
        let scheduled = self.functions.iter().filter(|function| {
            function.triggers.iter().any(|trigger| trigger.get("cron").is_some())
        });
        let at_work = |id: &str| self.runs.values().any(|run| run.function.id == id);
        let starts: Vec<_> = scheduled.filter(|function| !at_work(&function.id)).cloned().collect();
        for function in starts {
            let event = json!({ "name": "inngest/scheduled.timer", "id": format!("T{}", now.as_nanos()),
                                "data": { "cron": "*/5 * * * *" }, "ts": 0 });
            self.start(function, event, now, effects);
        }
    }

    fn start(&mut self, function: Function, event: Value, now: Duration, effects: &mut Effects) {
        let id = format!("R{:012}{:04}", now.as_millis(), self.runs.len() + self.seen.len());
        let (memo, stack) = Default::default();
        effects.calls.push((id.clone(), Duration::from_millis(300)));
        self.runs.insert(id, Run { function, event, memo, stack, attempt: 0, call: 0 });
    }

    /// The request by which the run `id` is called next, and the number of the call; `None` when there is no such run.
    pub(super) fn call(&mut self, id: &str) -> Option<(Request<Bytes>, u32)> {
        let run = self.runs.get_mut(id)?;
        run.call += 1;
        let job = format!("{id}-{}", run.call);
        let body = json!({
            "ctx": {
                "attempt": run.attempt, "disable_immediate_execution": false, "env": "",
                "fn_id": run.function.id, "generation_id": run.call, "job_id": job,
                "max_attempts": run.function.attempts, "qi_id": job, "request_id": job, "run_id": id,
                "stack": { "current": run.stack.len(), "stack": run.stack },
                "step_id": "step", "use_api": false,
            },
            "defers": {}, "event": run.event, "events": [run.event], "steps": run.memo,
            "use_api": false, "version": -1,
        });
        let url = run.function.url.as_str();
        let request = Request::post(url)
            .header("content-type", "application/json")
            .header("x-inngest-req-version", "2")
            .header("x-run-id", id)
            .body(Bytes::from(body.to_string()));
        Some((request.unwrap(), run.call))
    }

    /// The call number `call` of the run `id` has ended.
    pub(super) fn called(
        &mut self,
        id: &str,
        call: u32,
        answered: &Answered,
        now: Duration,
        effects: &mut Effects,
    ) {
        let Some(run) = self.runs.get_mut(id).filter(|run| run.call == call) else { return };
        let (status, retry_after, no_retry, body) = match answered {
            Answered::Unreachable => {
                let error = json!({ "name": "Error", "message": "Unable to reach SDK URL" });
                return self.attempt_failed(id, &error, false, None, now, effects);
            }
            Answered::By(status, retry_after, no_retry, body) => {
                (*status, retry_after, *no_retry, body)
            }
        };
        let wait = retry_after.as_deref().and_then(|text| text.parse().ok());
        let wait = wait.map(Duration::from_secs);
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        if status != StatusCode::PARTIAL_CONTENT {
            if status.is_success() {
                self.runs.remove(id);
                return;
            }
            return self.attempt_failed(id, &body, no_retry, wait, now, effects);
        }
        for op in body.as_array().into_iter().flatten() {
            match op["op"].as_str().unwrap_or_default() {
                "StepRun" => run.save(op, json!({ "data": op["data"] })),
                "StepError" => {
                    if !no_retry && run.attempt + 1 < run.function.attempts {
                        let pause = wait.unwrap_or_else(|| backoff(run.attempt));
                        run.attempt += 1;
                        return effects.calls.push((id.to_owned(), pause));
                    }
                    run.save(op, json!({ "error": op["error"] }));
                }
                other => panic!("a step that this Inngest does not know: {other}"),
            }
        }
        run.attempt = 0;
        effects.calls.push((id.to_owned(), Duration::from_millis(100)));
    }

    fn attempt_failed(
        &mut self,
        id: &str,
        error: &Value,
        no_retry: bool,
        wait: Option<Duration>,
        now: Duration,
        effects: &mut Effects,
    ) {
        let Some(run) = self.runs.get_mut(id) else { return };
        if !no_retry && run.attempt + 1 < run.function.attempts {
            let pause = wait.unwrap_or_else(|| backoff(run.attempt));
            run.attempt += 1;
            return effects.calls.push((id.to_owned(), pause));
        }
        let Some(run) = self.runs.remove(id) else { return };
        effects.failed = true;
        let name = run.function.id.trim_start_matches("prometei-flow-");
        // Schedules that fail come again, and would fill the story.
        if run.event["name"] != "inngest/scheduled.timer" {
            effects.story.push(format!("run {id} of {name} fails: {}", error["message"]));
        }
        if run.event["name"] == FAILED {
            effects.nothing_heard = true;
            return;
        }
        let event = json!({
            "name": FAILED, "id": id, "ts": 0,
            "data": { "function_id": run.function.id, "run_id": id, "error": error,
                      "event": run.event, "events": [run.event] },
        });
        self.take(&event, now, effects);
    }
}

impl Run {
    /// The first result of a step counts.
    fn save(&mut self, op: &Value, memo: Value) {
        let hash = op["id"].as_str().unwrap_or_default();
        if !self.memo.contains_key(hash) {
            self.memo.insert(hash.to_owned(), memo);
            self.stack.push(hash.to_owned());
        }
    }
}

impl Function {
    fn starts_by(&self, event: &Value) -> bool {
        let of_function = |expression: &str| {
            let failed = event["data"]["function_id"].as_str().unwrap_or_default();
            expression.contains(&format!("'{failed}'"))
                || expression.contains(&format!("\"{failed}\""))
        };
        self.triggers.iter().any(|trigger| {
            trigger["event"] == event["name"]
                && trigger["expression"].as_str().is_none_or(of_function)
        })
    }
}

fn functions(registration: &Value) -> Vec<Function> {
    let functions = registration["functions"].as_array().into_iter().flatten();
    let function = |function: &Value| {
        let step = &function["steps"]["step"];
        Function {
            id: function["id"].as_str().unwrap_or_default().to_owned(),
            url: step["runtime"]["url"].as_str().unwrap_or_default().to_owned(),
            triggers: function["triggers"].as_array().cloned().unwrap_or_default(),
            attempts: step["retries"]["attempts"].as_u64().unwrap_or(4) as u32,
        }
    };
    functions.map(function).collect()
}

fn backoff(attempt: u32) -> Duration {
    Duration::from_secs(BACKOFF[(attempt as usize).min(BACKOFF.len() - 1)])
}

fn reply(status: u16, body: &Value) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body.to_string()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
}
