use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use inngest::{
    App, Client, Config, Endpoint, Event, EventData, Settings, Step, Transport, TransportError,
    TransportFuture,
};
use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{Address, Gate, LostDeals, Registrar};
use crate::clock::SystemClock;
use crate::heartbeat::Heartbeats;
use crate::metrics::Metrics;

const KNOWN: (u16, &str) = (200, r#"[{"id":"app-fn"},{"id":"app-new"}]"#);
const FORGOTTEN: (u16, &str) = (200, "[]");
const CANNOT_BE_ASKED: (u16, &str) = (404, "404 page not found");
const TAKEN: (u16, &str) = (200, r#"{"ok":true,"modified":true}"#);

/// An Inngest that answers the question for the functions, and registrations, as it is told to.
#[derive(Clone)]
struct Inngest(Arc<Mutex<Script>>);

struct Script {
    functions: Option<(u16, &'static str)>,
    registration: (u16, &'static str),
    /// What the question is answered after a registration, where that makes a difference.
    functions_then: Option<(u16, &'static str)>,
    /// How long it asks to wait, in seconds.
    retry_after: Option<u64>,
    questions: usize,
    registrations: usize,
}

impl Inngest {
    fn that_answers(functions: (u16, &'static str)) -> Self {
        Self(Arc::new(Mutex::new(Script {
            functions: Some(functions),
            registration: TAKEN,
            functions_then: Some(KNOWN),
            retry_after: None,
            questions: 0,
            registrations: 0,
        })))
    }

    fn change<T>(&self, change: impl FnOnce(&mut Script) -> T) -> T {
        change(&mut self.0.lock().unwrap())
    }

    fn registrations(&self) -> usize {
        self.change(|script| script.registrations)
    }
}

impl Transport for Inngest {
    fn send(&self, request: Request<Bytes>) -> TransportFuture<'_> {
        let answer = self.change(|script| {
            if request.uri().path() == "/fn/register" {
                script.registrations += 1;
                if script.registration == TAKEN && script.functions_then.is_some() {
                    script.functions = script.functions_then;
                }
                return script.functions.map(|_| script.registration);
            }
            script.questions += 1;
            script.functions
        });
        let pause = self.change(|script| script.retry_after);
        Box::pin(async move {
            let (status, body) = answer.ok_or_else(|| TransportError::new("connection refused"))?;
            let answer = Response::builder().status(status);
            let answer = match pause {
                Some(pause) => answer.header(http::header::RETRY_AFTER, pause),
                None => answer,
            };
            Ok(answer.body(Bytes::from(body)).unwrap())
        })
    }
}

struct Service {
    gate: Gate,
    metrics: Metrics,
    endpoint: Endpoint,
    /// How often the deals that Inngest has were sent again.
    resends: Arc<AtomicUsize>,
    _running: DropGuard,
}

impl LostDeals for Arc<AtomicUsize> {
    async fn resend(&self) -> anyhow::Result<usize> {
        self.fetch_add(1, Relaxed);
        Ok(1)
    }
}

#[derive(Deserialize)]
struct Demo {}

impl EventData for Demo {
    const NAME: &'static str = "demo/event";
}

async fn nothing(_: Event<Demo>, _: Step<'_>) -> inngest::Result<()> {
    Ok(())
}

impl Service {
    fn start(inngest: &Inngest, address: Address) -> Self {
        let client = Client::new(Settings::dev(), inngest.clone());
        let app = App::new("app", client).function(Config::id("fn").run(nothing));
        let endpoint = app.function(Config::id("new").run(nothing)).build().unwrap();
        let (resends, metrics) = (Arc::default(), Metrics::new());
        let lost = Arc::clone(&resends);
        let (registrar, gate) = Registrar::new(endpoint.clone(), address, lost, metrics.clone());
        let stop = CancellationToken::new();
        let heartbeat = Heartbeats::new(Arc::new(SystemClock)).of("registration");
        tokio::spawn(registrar.run(heartbeat, stop.clone()));
        Self { gate, metrics, endpoint, resends, _running: stop.drop_guard() }
    }

    /// Waits until events may pass. Returns how long that took.
    async fn opened(&self) -> Duration {
        let started = Instant::now();
        let mut gate = self.gate.clone();
        tokio::time::timeout(Duration::from_secs(600), gate.opened()).await.unwrap();
        started.elapsed()
    }

    /// Inngest accepts an event every ten seconds.
    async fn sends_for_an_hour(&self) {
        for _ in 0..360 {
            self.gate.sent();
            tokio::time::sleep(Duration::from_secs(10)).await;
        }
    }

    fn registered(&self) -> bool {
        self.metrics.render().contains("\nprometei_flow_inngest_registered 1\n")
    }
}

fn declared() -> Address {
    Address::Declared("https://flow.example/api/inngest".parse().unwrap())
}

fn local() -> Address {
    Address::Local("http://127.0.0.1:3000/api/inngest".parse().unwrap())
}

#[tokio::test(start_paused = true)]
async fn what_inngest_does_not_know_is_registered_before_an_event_passes() {
    for address in [declared(), local()] {
        let inngest = Inngest::that_answers(FORGOTTEN);
        let service = Service::start(&inngest, address);
        assert!(service.opened().await < Duration::from_secs(1));
        assert_eq!(inngest.registrations(), 1);
        assert!(service.registered());
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_version_registers_although_its_functions_are_known_by_name() {
    let inngest = Inngest::that_answers(KNOWN);
    let service = Service::start(&inngest, declared());
    service.opened().await;
    assert_eq!(inngest.registrations(), 1);
    // A dev server in a container was told an address that reaches out of it: ours would not.
    let inngest = Inngest::that_answers(KNOWN);
    let service = Service::start(&inngest, local());
    service.opened().await;
    assert_eq!(inngest.registrations(), 0);
}

#[tokio::test(start_paused = true)]
async fn while_all_is_well_inngest_is_asked_seldom_and_after_events_were_sent() {
    let inngest = Inngest::that_answers(KNOWN);
    let service = Service::start(&inngest, declared());
    tokio::time::sleep(Duration::from_secs(3600)).await;
    let questions = inngest.change(|script| std::mem::take(&mut script.questions));
    assert!((11..=13).contains(&questions), "{questions} in an hour");
    assert_eq!(inngest.registrations(), 1);
    for _ in 0..600 {
        service.gate.sent();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let questions = inngest.change(|script| std::mem::take(&mut script.questions));
    assert!((11..=13).contains(&questions), "{questions} in a busy minute");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_has_forgotten_the_functions_is_told_again() {
    let inngest = Inngest::that_answers(KNOWN);
    let service = Service::start(&inngest, local());
    service.opened().await;
    inngest.change(|script| script.functions = Some(FORGOTTEN));
    tokio::time::sleep(Duration::from_secs(400)).await;
    assert_eq!(inngest.registrations(), 1);
    assert!(service.registered());
    assert_eq!(service.resends.load(Relaxed), 1, "what it had been given is lost");
}

#[tokio::test(start_paused = true)]
async fn a_function_that_is_new_is_registered_and_nothing_is_sent_again() {
    let inngest = Inngest::that_answers((200, r#"[{"id":"app-fn"},{"id":"app-old"}]"#));
    let service = Service::start(&inngest, local());
    service.opened().await;
    assert_eq!((inngest.registrations(), service.resends.load(Relaxed)), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn an_inngest_that_is_away_opens_the_gate_when_it_is_back() {
    let inngest = Inngest::that_answers(FORGOTTEN);
    inngest.change(|script| script.functions = None);
    let service = Service::start(&inngest, declared());
    tokio::time::sleep(Duration::from_secs(60)).await;
    let reason = service.gate.reason().unwrap();
    assert_eq!(
        reason,
        "waits for the registration with Inngest: the Inngest API cannot be reached: connection refused"
    );
    let questions = inngest.change(|script| script.questions);
    assert!((5..=9).contains(&questions), "{questions} in a minute");
    inngest.change(|script| script.functions = Some(FORGOTTEN));
    assert!(service.opened().await <= Duration::from_secs(31));
    assert!(service.registered());
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_inngest_asks_for_is_kept() {
    let inngest = Inngest::that_answers((429, "slow down"));
    inngest.change(|script| script.retry_after = Some(50));
    let service = Service::start(&inngest, declared());
    tokio::time::sleep(Duration::from_secs(101)).await;
    assert_eq!(inngest.change(|script| script.questions), 3);
    assert!(service.gate.reason().unwrap().contains("it asks for a pause of 50 s"));
}

#[tokio::test(start_paused = true)]
async fn a_wrong_key_is_named_and_holds_nothing_for_ever() {
    let inngest = Inngest::that_answers((401, "Authentication failed\n"));
    inngest.change(|script| script.registration = (401, "Authentication failed\n"));
    let service = Service::start(&inngest, declared());
    tokio::time::sleep(Duration::from_secs(1)).await;
    let reason = service.gate.reason().unwrap();
    assert!(reason.ends_with("Authentication failed; copy INNGEST_SIGNING_KEY from the Inngest dashboard, of the same environment as the event key"), "{reason}");
    let waited = service.opened().await;
    assert!((25..35).contains(&waited.as_secs()), "{waited:?}");
    assert!(!service.registered());
    assert!(service.gate.describe().starts_with("deals are forwarded, and may start nothing: "));
    let tries = inngest.registrations();
    assert!(tries < 15, "{tries} tries in half a minute");
}

#[tokio::test(start_paused = true)]
async fn a_page_that_is_not_inngests_registers_nothing() {
    let inngest = Inngest::that_answers((200, "<html>welcome</html>"));
    inngest.change(|script| script.registration = (200, "<html>welcome</html>"));
    let service = Service::start(&inngest, declared());
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(service.gate.reason().unwrap().contains("INNGEST_BASE_URL"));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_cannot_be_asked_gets_the_registration_now_and_then() {
    let inngest = Inngest::that_answers(CANNOT_BE_ASKED);
    inngest.change(|script| script.functions_then = None);
    let service = Service::start(&inngest, declared());
    assert!(service.opened().await < Duration::from_secs(1));
    service.sends_for_an_hour().await;
    assert!((5..=7).contains(&inngest.registrations()), "{}", inngest.registrations());
    assert!(service.registered());
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_shows_what_it_took_is_not_pressed_and_gets_no_deal_again() {
    let inngest = Inngest::that_answers(FORGOTTEN);
    inngest.change(|script| script.functions_then = None);
    let service = Service::start(&inngest, declared());
    assert!(service.opened().await < Duration::from_secs(1));
    service.sends_for_an_hour().await;
    assert!((5..=7).contains(&inngest.registrations()), "{}", inngest.registrations());
    assert_eq!(service.resends.load(Relaxed), 0);
    assert!(service.registered());
}

#[tokio::test(start_paused = true)]
async fn without_an_address_a_person_is_told_what_to_do_and_the_deals_wait_for_half_a_minute() {
    for answer in [FORGOTTEN, CANNOT_BE_ASKED] {
        let inngest = Inngest::that_answers(answer);
        let service = Service::start(&inngest, Address::Unknown);
        tokio::time::sleep(Duration::from_secs(1)).await;
        let reason = service.gate.reason().unwrap();
        assert!(reason.contains("INNGEST_SERVE_ORIGIN"), "{reason}");
        let waited = service.opened().await;
        assert!((25..35).contains(&waited.as_secs()), "{waited:?}");
        assert_eq!(inngest.registrations(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn without_an_address_an_app_that_is_registered_is_not_held() {
    let inngest = Inngest::that_answers(KNOWN);
    let service = Service::start(&inngest, Address::Unknown);
    assert!(service.opened().await < Duration::from_secs(1));
    assert!(service.registered());
}

#[tokio::test(start_paused = true)]
async fn a_call_shows_that_the_functions_are_known_and_stays_a_proof() {
    let inngest = Inngest::that_answers(CANNOT_BE_ASKED);
    let service = Service::start(&inngest, Address::Unknown);
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert!(service.gate.reason().is_some());
    let call = json!({
        "ctx": { "run_id": "01", "attempt": 0 },
        "event": { "name": "demo/event", "data": {} }, "events": [], "steps": {},
    });
    let call = Request::post("/api/inngest?fnId=app-fn&stepId=step").body(call.to_string().into());
    service.endpoint.handle(call.unwrap()).await;
    assert!(service.opened().await <= Duration::from_secs(1));
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_eq!(service.gate.reason(), None);
    }
    assert!(service.registered());
}
