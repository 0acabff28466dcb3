//! What the fuzz targets share: an endpoint that stands on nothing but its input, and what every answer must be.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use inngest::signing::{SigningKey, SigningKeys};
use inngest::{
    App, Client, Clock, Endpoint, EventData, Function, Settings, Transport, TransportError,
    TransportFuture,
};
use serde_json::Value;
use sha1::{Digest as _, Sha1};

pub const KEY: &str =
    "signkey-test-8ee2262a15ac8d3c42d6a840db7af3de2aab08ef632b32a37a687f24b34dba3f";
pub const FALLBACK: &str = "signkey-test-0123456789abcdef";
/// The time of every execution.
pub const NOW: i64 = 1_700_000_000;

pub fn keys() -> SigningKeys {
    SigningKeys { primary: SigningKey::new(KEY), fallback: Some(SigningKey::new(FALLBACK)) }
}

pub fn cloud() -> Settings {
    let mut settings = Settings::cloud("event-key", SigningKey::new(KEY));
    settings.signing_keys = Some(keys());
    settings
}

/// An Inngest API that gives this answer to everything, or cannot be reached.
#[derive(Clone, Default)]
pub struct Api(pub Option<Bytes>);

impl Transport for Api {
    fn send(&self, _: Request<Bytes>) -> TransportFuture<'_> {
        let answer = self.0.clone().map(Response::new);
        Box::pin(async move { answer.ok_or_else(|| TransportError::new("unreachable")) })
    }
}

/// An Inngest API that keeps what it is sent and can do nothing with it.
#[derive(Clone, Default)]
pub struct Kept(Arc<Mutex<Vec<Request<Bytes>>>>);

impl Kept {
    pub fn take(&self) -> Vec<Request<Bytes>> {
        std::mem::take(&mut self.0.lock().expect("no panic"))
    }
}

impl Transport for Kept {
    fn send(&self, request: Request<Bytes>) -> TransportFuture<'_> {
        self.0.lock().expect("no panic").push(request);
        let answer = Response::builder().status(StatusCode::NOT_FOUND).body(Bytes::new());
        Box::pin(async move { answer.map_err(|error| TransportError::new(error.to_string())) })
    }
}

pub fn client(settings: Settings, api: impl Transport) -> Client {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW.unsigned_abs());
    Client::with_sources(settings, api, Clock::new(move || now), |bytes| bytes.fill(7))
}

/// The app `app` with one function.
pub fn serving(settings: Settings, api: impl Transport, function: impl Function) -> Endpoint {
    let app = App::new("app", client(settings, api)).function(function);
    app.build().expect("a valid app")
}

/// Any JSON as event data.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Any(pub Value);

impl EventData for Any {
    const NAME: &'static str = "demo/sent";
}

pub fn hash(id: &str) -> String {
    hex::encode(Sha1::digest(id))
}

pub fn post(body: impl Into<Bytes>) -> Request<Bytes> {
    let request =
        Request::builder().method(Method::POST).uri("/api/inngest?fnId=app-fn&stepId=step");
    request.body(body.into()).expect("a request")
}

/// An answer that has passed the checks that hold for all of them.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// `null` for `HEAD`.
    pub body: Value,
}

impl Answer {
    pub fn no_retry(&self) -> Option<&str> {
        self.headers.get("x-inngest-no-retry").map(|value| value.to_str().expect("text"))
    }

    /// The operations of a 206.
    pub fn ops(&self) -> &[Value] {
        assert_eq!(self.status, 206, "{}", self.body);
        self.body.as_array().expect("a list of operations")
    }

    /// The run has ended, and the message says why.
    pub fn final_error(&self) -> &str {
        assert_eq!((self.status.as_u16(), self.no_retry()), (400, Some("true")), "{}", self.body);
        self.body["message"].as_str().expect("a message")
    }
}

/// Lets the endpoint answer.
pub fn answer(endpoint: &Endpoint, request: Request<Bytes>) -> Answer {
    let method = request.method().clone();
    check(&method, ended(endpoint.handle(request)))
}

/// Waits for what must end. Time is virtual, so the 10 s for a missing step pass at once and a hang is seen.
pub fn ended<T>(work: impl Future<Output = T>) -> T {
    thread_local! {
        static RUNTIME: tokio::runtime::Runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime");
    }
    let hour = Duration::from_secs(3600);
    let done =
        RUNTIME.with(|runtime| runtime.block_on(async { tokio::time::timeout(hour, work).await }));
    done.expect("it ends")
}

const OPS: [&str; 9] = [
    "StepRun",
    "StepError",
    "StepPlanned",
    "Sleep",
    "WaitForEvent",
    "WaitForSignal",
    "InvokeFunction",
    "Gateway",
    "AIGateway",
];

fn check(method: &Method, response: Response<Bytes>) -> Answer {
    let (parts, body) = response.into_parts();
    let header = |name: &str| parts.headers.get(name).map(|value| value.to_str().expect("text"));
    assert_eq!(header("x-inngest-sdk"), Some("inngest-rs:v0.1.0"), "P-001");
    assert_eq!(header("x-inngest-req-version"), Some("2"), "P-002");
    assert_eq!(header("content-type"), Some("application/json"), "P-034");
    let status = parts.status.as_u16();
    assert!([200, 206, 400, 401, 405, 413, 500].contains(&status), "status {status}");
    let no_retry = header("x-inngest-no-retry");
    assert!(matches!(no_retry, None | Some("true" | "false")), "P-037: {no_retry:?}");
    if status == 200 {
        assert!(no_retry.is_none() && header("retry-after").is_none(), "P-006");
    }
    if let Some(delay) = header("retry-after") {
        let seconds: u64 = delay.parse().expect("whole seconds");
        assert!((1..=86_400).contains(&seconds), "P-142: {seconds}");
    }
    let text = std::str::from_utf8(&body).expect("UTF-8");
    assert!(!text.contains(&KEY[13..]), "P-024");
    if method == Method::HEAD {
        assert!(text.is_empty(), "T07");
        return Answer { status: parts.status, headers: parts.headers, body: Value::Null };
    }
    // Some answers repeat what a function was sent, at any depth that was taken.
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let body: Value = match serde::Deserialize::deserialize(&mut deserializer) {
        Ok(body) => body,
        Err(error) => panic!("no JSON ({error}): {text}"),
    };
    if method == Method::POST && status == 206 {
        for op in body.as_array().expect("a list of operations") {
            assert!(OPS.contains(&op["op"].as_str().expect("op")), "P-125: {op}");
            let id = op["id"].as_str().expect("id");
            assert!(id.len() == 40 && id.bytes().all(|b| b.is_ascii_hexdigit()), "P-124: {op}");
            assert!(op["name"].is_string() && op.get("data").is_some(), "P-124: {op}");
        }
    }
    Answer { status: parts.status, headers: parts.headers, body }
}
