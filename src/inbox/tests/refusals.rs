//! What Inngest answers to an event, or what stands before it, and what becomes of the lead.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use functions::webhook::AmoCrmWebhook;
use http::{Request, Response};
use inngest::signing::SigningKey;
use inngest::{Client, Settings, Transport, TransportFuture};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::task::{JoinSet, LocalSet};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{clock, eventually, moved};
use crate::db::testing::Database;
use crate::inbox::{
    EventSink as _, Forwarder, Inbox, InngestEvents, OutgoingEvent, Pace, SendError,
};
use crate::metrics::Metrics;

const EVENT_KEY: &str = "event-key-5ecret";
const PAGE: &str = "<html><head><title>Sorry</title></head><body><h1>Sorry</h1></body></html>";

type Answer = dyn FnMut(&[u64]) -> Response<Bytes> + Send;

/// The event intake as the network shows it: answers as told, by the leads of a request.
#[derive(Clone)]
struct Intake(Arc<Mutex<State>>);

struct State {
    answer: Box<Answer>,
    requests: Vec<Vec<u64>>,
    accepted: BTreeSet<u64>,
}

impl Intake {
    fn new() -> Self {
        let answer = Box::new(|leads: &[u64]| official(leads, None));
        Self(Arc::new(Mutex::new(State { answer, requests: vec![], accepted: BTreeSet::new() })))
    }

    fn answers(&self, answer: impl FnMut(&[u64]) -> Response<Bytes> + Send + 'static) {
        let mut state = self.0.lock().unwrap();
        state.answer = Box::new(answer);
        state.requests.clear();
    }

    fn requests(&self) -> Vec<Vec<u64>> {
        self.0.lock().unwrap().requests.clone()
    }

    fn accepted(&self) -> Vec<u64> {
        self.0.lock().unwrap().accepted.iter().copied().collect()
    }
}

impl Transport for Intake {
    fn send(&self, request: Request<Bytes>) -> TransportFuture<'_> {
        let events: Vec<Value> = serde_json::from_slice(request.body()).unwrap();
        let leads: Vec<_> =
            events.iter().map(|event| event["data"]["leadId"].as_u64().unwrap()).collect();
        let mut state = self.0.lock().unwrap();
        let answer = (state.answer)(&leads);
        let reply: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
        let ids = reply["ids"].as_array().cloned().unwrap_or_default();
        let accepted = ids.iter().zip(&leads).filter(|(id, _)| **id != json!(""));
        state.accepted.extend(accepted.map(|(_, lead)| *lead));
        state.requests.push(leads);
        Box::pin(async { Ok(answer) })
    }
}

fn answer(status: u16, body: impl Into<Bytes>) -> Response<Bytes> {
    Response::builder().status(status).body(body.into()).unwrap()
}

/// As server 1.43 answers, which refuses the event of the lead `bad`: what comes after it is not looked at, and where
/// nothing comes before it, the list of ids holds an empty one.
fn official(leads: &[u64], bad: Option<u64>) -> Response<Bytes> {
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

struct World {
    inbox: Inbox,
    intake: Intake,
    _stop: DropGuard,
    _database: Database,
}

impl World {
    /// A service whose forwarder runs.
    async fn new() -> Self {
        let database = Database::new().await;
        let inbox = Inbox::new(database.open(clock()).await);
        let (intake, stop) = (Intake::new(), CancellationToken::new());
        let settings = Settings::cloud(EVENT_KEY, SigningKey::new("signkey-test-00112233"));
        let forwarder = Forwarder {
            inbox: inbox.clone(),
            sink: InngestEvents::new(Client::new(settings, intake.clone())),
            metrics: Metrics::new(),
            pace: Pace {
                poll: Duration::from_secs(30),
                first_retry: Duration::from_millis(10),
                longest_retry: Duration::from_millis(40),
            },
        };
        tokio::spawn(forwarder.run(stop.clone()));
        Self { inbox, intake, _stop: stop.drop_guard(), _database: database }
    }

    async fn stores(&self, leads: impl IntoIterator<Item = u64>) {
        let leads: Vec<_> = leads.into_iter().map(moved).collect();
        self.inbox.store(b"body", &leads, None).await.unwrap();
    }

    async fn until_accepted(&self, leads: &[u64]) {
        eventually("Inngest has them", async || (self.intake.accepted() == leads).then_some(()))
            .await;
    }

    async fn parked(&self) -> Vec<(i64, String)> {
        let rows = self.inbox.parked(100).await.unwrap();
        rows.into_iter().map(|row| (row.lead_id, row.reason)).collect()
    }
}

/// Whatever the status, the lead waits, says why, and goes on by itself.
async fn waits(status: u16, body: String) {
    let world = World::new().await;
    let page = body.clone();
    world.intake.answers(move |_| answer(status, page.clone()));
    world.stores([1]).await;
    eventually("it is tried again and again", async || {
        (world.intake.requests().len() > 8).then_some(())
    })
    .await;
    assert_eq!(world.parked().await, [], "HTTP {status} {body}");
    let held =
        eventually("it says why", async || world.inbox.held(None, 9).await.unwrap().pop()).await;
    let says = format!("HTTP {status}");
    assert!(held.lead_id == 1 && held.attempts > 0, "{held:?}");
    assert!(held.reason.contains(&says) && !held.reason.contains(EVENT_KEY), "{held:?}");
    world.intake.answers(|leads| official(leads, None));
    world.until_accepted(&[1]).await;
}

#[tokio::test]
async fn what_is_not_inngests_refusal_of_the_event_keeps_the_lead_waiting() {
    let json = |status: u16, error: &str| {
        json!({"status": status, "message": "", "error": error}).to_string()
    };
    let cases = [
        (301, String::new()),
        (308, PAGE.to_owned()),
        (400, PAGE.to_owned()),
        (400, json(400, "No INNGEST_ENV branch name found")),
        (401, json(401, "Event key not found")),
        (401, PAGE.to_owned()),
        (403, PAGE.to_owned()),
        (404, json(404, "Event key not found")),
        (404, PAGE.to_owned()),
        (404, r#"{"statusCode":404,"message":"Not Found"}"#.to_owned()),
        (405, "Method Not Allowed".to_owned()),
        (407, String::new()),
        (409, String::new()),
        (410, PAGE.to_owned()),
        (413, PAGE.to_owned()),
        (421, "Misdirected Request".to_owned()),
        (422, r#"{"error":"unprocessable"}"#.to_owned()),
        (451, PAGE.to_owned()),
    ];
    let (local, mut tasks) = (LocalSet::new(), JoinSet::new());
    for (status, body) in cases {
        tasks.spawn_local_on(waits(status, body), &local);
    }
    local.run_until(tasks.join_all()).await;
}

#[tokio::test]
async fn an_event_that_was_refused_is_not_taken_for_sent() {
    for (leads, bad, others) in
        [(vec![1], 1, vec![]), (vec![1, 2, 3], 1, vec![2, 3]), (vec![1, 2, 3], 2, vec![1, 3])]
    {
        let world = World::new().await;
        world.intake.answers(move |leads| official(leads, Some(bad)));
        world.stores(leads).await;
        let parked = eventually("it is parked", async || world.parked().await.pop()).await;
        assert_eq!(
            (parked.0, parked.1.contains("event name is empty")),
            (bad as i64, true),
            "{parked:?}"
        );
        world.until_accepted(&others).await;
    }
}

#[tokio::test]
async fn an_answer_with_empty_ids_is_no_acceptance() {
    let world = World::new().await;
    world.intake.answers(|_| answer(200, r#"{"ids":[""],"status":200}"#));
    world.stores([1]).await;
    eventually("it was tried", async || (!world.intake.requests().is_empty()).then_some(())).await;
    world.intake.answers(|leads| official(leads, None));
    world.until_accepted(&[1]).await;
}

#[tokio::test]
async fn a_refusal_that_passes_parks_nothing() {
    // Said of a request that arrives cut short, and by a server that is stopping.
    let world = World::new().await;
    let mut cut_short = Some(r#"{"ids":[""],"status":400,"error":"unexpected EOF"}"#);
    world.intake.answers(move |leads| match cut_short.take() {
        Some(refusal) => answer(400, refusal),
        None => official(leads, None),
    });
    world.stores([1]).await;
    world.until_accepted(&[1]).await;
    assert_eq!(world.parked().await, []);
}

#[tokio::test]
async fn a_lead_that_is_not_taken_keeps_no_other_back() {
    for page in [true, false] {
        let world = World::new().await;
        world.intake.answers(move |leads| match (leads.contains(&1), page) {
            (true, true) => answer(413, PAGE),
            (true, false) => official(leads, Some(1)),
            (false, _) => official(leads, None),
        });
        world.stores(1..=150).await;
        world.until_accepted(&(2..=150).collect::<Vec<_>>()).await;
        world.stores([200]).await;
        eventually("a later one too", async || {
            world.intake.accepted().contains(&200).then_some(())
        })
        .await;
        world.intake.answers(|leads| official(leads, None));
        world.inbox.unpark(None).await.unwrap();
        eventually("and then itself", async || world.intake.accepted().contains(&1).then_some(()))
            .await;
    }
}

#[tokio::test]
async fn a_request_that_is_too_large_for_a_proxy_is_split_until_it_passes() {
    let world = World::new().await;
    world.intake.answers(|leads| match leads.len() {
        0..=20 => official(leads, None),
        _ => answer(413, PAGE),
    });
    world.stores(1..=100).await;
    world.until_accepted(&(1..=100).collect::<Vec<_>>()).await;
    let sizes: Vec<_> = world.intake.requests().iter().map(Vec::len).collect();
    assert_eq!(sizes, [100, 50, 25, 12, 13, 25, 12, 13, 50, 25, 12, 13, 25, 12, 13]);
    assert!(world.parked().await.is_empty() && world.inbox.held(None, 9).await.unwrap().is_empty());
}

#[tokio::test]
async fn the_wait_that_inngest_asks_for_reaches_the_forwarder() {
    let intake = Intake::new();
    intake.answers(|_| {
        let slow_down = Response::builder().status(429).header("retry-after", "120");
        slow_down.body(Bytes::new()).unwrap()
    });
    let settings = Settings::cloud(EVENT_KEY, SigningKey::new("signkey-test-00112233"));
    let event = OutgoingEvent {
        id: "01M8".to_owned(),
        name: AmoCrmWebhook::EVENT_NAME,
        data: RawValue::from_string(r#"{"leadId":1}"#.to_owned()).unwrap(),
        ts: 1_795_341_600_125,
    };
    let sent = InngestEvents::new(Client::new(settings, intake)).send(&[event]).await;
    let asked = Some(Duration::from_secs(120));
    assert!(
        matches!(sent, Err(SendError::Retriable { retry_after, .. }) if retry_after == asked),
        "{sent:?}"
    );
}
