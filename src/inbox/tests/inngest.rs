//! Inngest's event intake, as the network shows it.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use inngest::signing::SigningKey;
use inngest::{Client, Settings, Transport, TransportFuture};
use serde_json::{Value, json};

pub(super) const EVENT_KEY: &str = "event-key-5ecret";
pub(super) const PAGE: &str =
    "<html><head><title>Sorry</title></head><body><h1>Sorry</h1></body></html>";

type Answer = dyn FnMut(&[u64]) -> Response<Bytes> + Send;

/// Answers as set, by the leads of a request; by default it accepts everything.
#[derive(Clone)]
pub(super) struct Inngest(Arc<Mutex<State>>);

struct State {
    answer: Box<Answer>,
    requests: Vec<Bytes>,
    accepted: Vec<(String, u64)>,
}

impl Inngest {
    pub(super) fn new() -> Self {
        let answer = Box::new(|leads: &[u64]| official(leads, None));
        Self(Arc::new(Mutex::new(State { answer, requests: vec![], accepted: vec![] })))
    }

    /// From now on it answers like this.
    pub(super) fn answers(&self, answer: impl FnMut(&[u64]) -> Response<Bytes> + Send + 'static) {
        let mut state = self.0.lock().unwrap();
        state.answer = Box::new(answer);
        state.requests.clear();
    }

    /// The bodies of the requests since the answer was set.
    pub(super) fn requests(&self) -> Vec<Bytes> {
        self.0.lock().unwrap().requests.clone()
    }

    /// The ids of the events in each of them.
    pub(super) fn ids(&self) -> Vec<Vec<String>> {
        let ids = |body: &Bytes| events(body).into_iter().map(|(id, _)| id).collect();
        self.requests().iter().map(ids).collect()
    }

    /// The events that it has accepted, by id and lead, each as often as it has.
    pub(super) fn accepted(&self) -> Vec<(String, u64)> {
        self.0.lock().unwrap().accepted.clone()
    }

    /// Their leads, in order.
    pub(super) fn leads(&self) -> Vec<u64> {
        let mut leads: Vec<_> = self.accepted().into_iter().map(|(_, lead)| lead).collect();
        leads.sort_unstable();
        leads
    }

    /// A client of it.
    pub(super) fn client(&self) -> Client {
        let settings = Settings::cloud(EVENT_KEY, SigningKey::new("signkey-test-00112233"));
        Client::new(settings, self.clone())
    }

    fn take(&self, body: &Bytes) -> Response<Bytes> {
        let (mut state, events) = (self.0.lock().unwrap(), events(body));
        let leads: Vec<_> = events.iter().map(|(_, lead)| *lead).collect();
        let answer = (state.answer)(&leads);
        let reply: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
        let ids = reply["ids"].as_array().cloned().unwrap_or_default();
        let accepted = events.into_iter().zip(ids).filter(|(_, id)| *id != json!(""));
        state.accepted.extend(accepted.map(|(event, _)| event));
        state.requests.push(body.clone());
        answer
    }
}

impl Transport for Inngest {
    fn send(&self, request: Request<Bytes>) -> TransportFuture<'_> {
        Box::pin(async move {
            // Await points before and after what Inngest does, where a crash can strike.
            tokio::task::yield_now().await;
            let answer = self.take(request.body());
            tokio::task::yield_now().await;
            Ok(answer)
        })
    }
}

/// The ids and leads of the events in a request.
fn events(body: &Bytes) -> Vec<(String, u64)> {
    let events: Vec<Value> = serde_json::from_slice(body).unwrap();
    let event = |event: &Value| {
        (event["id"].as_str().unwrap().to_owned(), event["data"]["leadId"].as_u64().unwrap())
    };
    events.iter().map(event).collect()
}

pub(super) fn answer(status: u16, body: impl Into<Bytes>) -> Response<Bytes> {
    Response::builder().status(status).body(body.into()).unwrap()
}

/// Something else answers in Inngest's place. The client does not retry this.
pub(super) fn away() -> Response<Bytes> {
    answer(404, PAGE)
}

/// As server 1.43 answers, which refuses the event of the lead `bad`: what comes after it is not looked at, and where
/// nothing comes before it, the list of ids holds an empty one.
pub(super) fn official(leads: &[u64], bad: Option<u64>) -> Response<Bytes> {
    let good = leads.iter().position(|lead| Some(*lead) == bad);
    let mut ids: Vec<_> =
        leads[..good.unwrap_or(leads.len())].iter().map(|lead| format!("01M8{lead}")).collect();
    if ids.is_empty() {
        ids.push(String::new());
    }
    let body = match good {
        None => json!({"ids": ids, "status": 200}),
        Some(_) => json!({"ids": ids, "status": 400, "error": "event name is empty"}),
    };
    answer(if good.is_some() { 400 } else { 200 }, body.to_string())
}
