//! A server in a few lines: drives one run of an endpoint to its end, in any order it likes.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use inngest::{Endpoint, Transport, TransportError, TransportFuture};
use serde_json::{Map, Value, json};

use crate::support::{Answer, CALL, body, post};

/// The order of everything that the real server leaves open. An exhausted one always takes the first.
#[derive(Clone, Debug)]
pub(crate) struct Choices(VecDeque<u8>);

impl Choices {
    pub(crate) fn new(choices: Vec<u8>) -> Self {
        Self(choices.into())
    }

    fn below(&mut self, count: usize) -> usize {
        usize::from(self.0.pop_front().unwrap_or_default()) % count.max(1)
    }
}

/// What the server knows of the run. The checkpoint API writes to it while a call is under way.
#[derive(Default)]
pub(crate) struct State {
    steps: Map<String, Value>,
    stack: Vec<String>,
    /// What the next checkpoint requests do: 0 save, 1 refuse, 2 save and lose the answer.
    pub(crate) checkpoints: VecDeque<u8>,
}

impl State {
    /// The first result of a step stays.
    fn save(&mut self, hash: &str, memo: &Value) {
        if !self.steps.contains_key(hash) {
            self.steps.insert(hash.to_owned(), canonical(memo));
            self.stack.push(hash.to_owned());
        }
    }
}

/// The server re-encodes all state: whole floats become integers (P-062).
fn canonical(memo: &Value) -> Value {
    let text = serde_json_canonicalizer::to_string(memo).expect("JSON");
    serde_json::from_str(&text).expect("JSON")
}

/// The checkpoint API of the simulated server.
#[derive(Clone, Default)]
pub(crate) struct CheckpointApi(pub(crate) Arc<Mutex<State>>);

impl Transport for CheckpointApi {
    fn send(&self, request: Request<Bytes>) -> TransportFuture<'_> {
        let body: Value = serde_json::from_slice(request.body()).expect("JSON");
        let mut state = self.0.lock().expect("state");
        let fate = state.checkpoints.pop_front().unwrap_or_default() % 3;
        if fate != 1 {
            for step in body["steps"].as_array().expect("steps") {
                assert_eq!(step["op"], "StepRun", "P-194: nothing else can be checkpointed");
                state.save(text(&step["id"]), &json!({ "data": step["data"] }));
            }
        }
        let answer = match fate {
            0 => Ok(Response::new(Bytes::new())),
            _ => Err(TransportError::new("connection reset")),
        };
        Box::pin(async move { answer })
    }
}

fn text(value: &Value) -> &str {
    value.as_str().expect("text")
}

/// One item of the server's queue.
#[derive(Clone, Debug, PartialEq)]
enum Item {
    Discover {
        attempt: u32,
    },
    Step {
        hash: String,
        attempt: u32,
    },
    /// A sleep that will end.
    Sleep {
        hash: String,
    },
}

/// How a run ended: its result, or the message of its error.
pub(crate) type Ended = Result<Value, String>;

const MAX_ATTEMPTS: u32 = 3;

pub(crate) struct Server<'e> {
    endpoint: &'e Endpoint,
    api: CheckpointApi,
    choices: Choices,
    queue: Vec<Item>,
    planned: HashSet<String>,
    /// The call under way must run nothing but what it was sent for.
    plan_only: bool,
}

impl<'e> Server<'e> {
    pub(crate) fn new(endpoint: &'e Endpoint, api: CheckpointApi, choices: Choices) -> Self {
        let queue = vec![Item::Discover { attempt: 0 }];
        Self { endpoint, api, choices, queue, planned: HashSet::new(), plan_only: false }
    }

    /// Calls the function until the run ends, and once more: what was saved must lead to the same end, whichever process
    /// won the races (P-151).
    pub(crate) async fn run(mut self) -> Ended {
        let ended = self.calls().await;
        self.queue.clear();
        let replayed = self.call(&Item::Discover { attempt: MAX_ATTEMPTS }).await;
        assert_eq!(replayed.as_ref(), Some(&ended), "another call ends otherwise");
        ended
    }

    async fn calls(&mut self) -> Ended {
        for _ in 0..10_000 {
            assert!(!self.queue.is_empty(), "nothing is left to do, and the run has not ended");
            let next = self.choices.below(self.queue.len());
            let item = self.queue.remove(next);
            if let Item::Sleep { hash } = item {
                self.saved(&hash, &Value::Null);
                continue;
            }
            if let Some(ended) = self.call(&item).await {
                return ended;
            }
        }
        panic!("the run does not end");
    }

    async fn call(&mut self, item: &Item) -> Option<Ended> {
        let (uri, attempt) = match item {
            Item::Step { hash, attempt } => {
                (CALL.replace("stepId=step", &format!("stepId={hash}")), *attempt)
            }
            Item::Discover { attempt } => (CALL.to_owned(), *attempt),
            Item::Sleep { .. } => return None,
        };
        let mut request = body();
        request["ctx"]["attempt"] = json!(attempt);
        request["ctx"]["max_attempts"] = json!(MAX_ATTEMPTS);
        request["ctx"]["fn_id"] = json!("76b3a25a-5227-566a-bde6-241cec043a9a");
        request["ctx"]["qi_id"] = json!("item");
        // P-162: while a group is under way, nothing runs unasked.
        self.plan_only = !self.queue.is_empty();
        request["ctx"]["disable_immediate_execution"] = json!(self.plan_only);
        {
            let state = self.api.0.lock().expect("state");
            request["ctx"]["stack"] = json!({ "stack": state.stack, "current": state.stack.len() });
            request["steps"] = Value::Object(state.steps.clone());
        }
        let answer = post(self.endpoint, &uri, request.to_string()).await;
        self.answered(item, attempt, &answer)
    }

    fn answered(&mut self, item: &Item, attempt: u32, answer: &Answer) -> Option<Ended> {
        let retries = answer.no_retry() != Some("true") && attempt + 1 < MAX_ATTEMPTS;
        if answer.status == 200 {
            assert_eq!(answer.no_retry(), None, "P-006");
            return Some(Ok(answer.json()));
        }
        if answer.status != 206 {
            if retries {
                self.retry(item, attempt);
                return None;
            }
            return Some(Err(text(&answer.json()["message"]).to_owned()));
        }
        let ops = answer.json();
        let ops = ops.as_array().expect("ops");
        if ops.is_empty() {
            self.discover();
        }
        for op in ops {
            let hash = text(&op["id"]);
            match text(&op["op"]) {
                "StepPlanned" => self.plan(Item::Step { hash: hash.to_owned(), attempt: 0 }, hash),
                "Sleep" => self.plan(Item::Sleep { hash: hash.to_owned() }, hash),
                "StepRun" => {
                    let asked = matches!(item, Item::Step { .. }) || !self.plan_only;
                    assert!(asked, "P-155: a step of a group was run unasked");
                    self.saved(hash, &json!({ "data": op["data"] }));
                }
                "StepError" if retries => self.retry(item, attempt),
                "StepError" => self.saved(hash, &json!({ "error": op["error"] })),
                other => panic!("unknown op {other}"),
            }
        }
        None
    }

    fn retry(&mut self, item: &Item, attempt: u32) {
        self.queue.push(match item {
            Item::Step { hash, .. } => Item::Step { hash: hash.clone(), attempt: attempt + 1 },
            _ => Item::Discover { attempt: attempt + 1 },
        });
    }

    /// Each step is queued once, however often it is reported (P-171).
    fn plan(&mut self, item: Item, hash: &str) {
        if self.planned.insert(hash.to_owned()) {
            self.queue.push(item);
        }
    }

    fn saved(&mut self, hash: &str, memo: &Value) {
        self.api.0.lock().expect("state").save(hash, memo);
        // The server calls after the whole group (P-163) or, in a race, after each step (P-164).
        if self.queue.is_empty() || self.choices.below(2) == 1 {
            self.discover();
        }
    }

    fn discover(&mut self) {
        self.queue.push(Item::Discover { attempt: 0 });
    }
}
