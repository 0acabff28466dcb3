//! An app with known keys, a clock that stands still, and a scripted Inngest API.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use inngest::signing::{SigningKey, SigningKeys};
use inngest::{
    App, Client, Clock, Config, Context, Endpoint, EventData, Function, Result, Settings, Step,
    Transport, TransportError, TransportFuture,
};
use serde_json::{Value, json};

pub(crate) const KEY: &str =
    "signkey-test-8ee2262a15ac8d3c42d6a840db7af3de2aab08ef632b32a37a687f24b34dba3f";
pub(crate) const EVENT_KEY: &str = "event-key-5ecret";
/// The time of every test, as in the signature vectors.
pub(crate) const NOW: i64 = 1_700_000_000;

pub(crate) fn clock() -> Clock {
    let now = u64::try_from(NOW).expect("after 1970");
    Clock::new(move || SystemTime::UNIX_EPOCH + Duration::from_secs(now))
}

enum ApiAnswer {
    Comes(std::result::Result<Response<Bytes>, TransportError>),
    NeverComes,
}

/// An Inngest API that gives prepared answers and records the requests.
#[derive(Clone, Default)]
pub(crate) struct FakeApi {
    answers: Arc<Mutex<VecDeque<ApiAnswer>>>,
    requests: Arc<Mutex<Vec<Request<Bytes>>>>,
    slow: bool,
}

impl FakeApi {
    /// Does not answer at once: what is asked meanwhile finds the request under way.
    pub(crate) fn slow() -> Self {
        Self { slow: true, ..Self::default() }
    }

    pub(crate) fn answer(self, status: u16, body: impl Into<Bytes>) -> Self {
        let response = Response::builder().status(status).body(body.into()).expect("a response");
        self.answer_with(response)
    }

    pub(crate) fn answer_with(self, response: Response<Bytes>) -> Self {
        self.with(ApiAnswer::Comes(Ok(response)))
    }

    /// Answers with this status, and asks for a pause.
    pub(crate) fn pausing(self, status: u16, seconds: u64) -> Self {
        let response = Response::builder().status(status).header("retry-after", seconds);
        self.answer_with(response.body("slow down".into()).expect("a response"))
    }

    pub(crate) fn fail(self, message: &str) -> Self {
        self.with(ApiAnswer::Comes(Err(TransportError::new(message))))
    }

    /// Takes a request and never answers it.
    pub(crate) fn hang(self) -> Self {
        self.with(ApiAnswer::NeverComes)
    }

    fn with(self, answer: ApiAnswer) -> Self {
        self.answers.lock().expect("answers").push_back(answer);
        self
    }

    pub(crate) fn requests(&self) -> Vec<Request<Bytes>> {
        self.requests.lock().expect("requests").clone()
    }
}

impl Transport for FakeApi {
    fn send(&self, request: Request<Bytes>) -> TransportFuture<'_> {
        let unexpected = format!("unexpected request to {}", request.uri().path());
        self.requests.lock().expect("requests").push(request);
        let answer = self.answers.lock().expect("answers").pop_front();
        let slow = self.slow;
        Box::pin(async move {
            if slow {
                tokio::task::yield_now().await;
            }
            match answer {
                Some(ApiAnswer::Comes(answer)) => answer,
                Some(ApiAnswer::NeverComes) => std::future::pending().await,
                None => Err(TransportError::new(unexpected)),
            }
        })
    }
}

pub(crate) fn dev() -> Settings {
    Settings::dev()
}

pub(crate) fn cloud() -> Settings {
    Settings::cloud(EVENT_KEY, SigningKey::new(KEY))
}

pub(crate) fn cloud_with_fallback(fallback: &str) -> Settings {
    let mut settings = cloud();
    settings.signing_keys = Some(SigningKeys {
        primary: SigningKey::new(KEY),
        fallback: Some(SigningKey::new(fallback)),
    });
    settings
}

pub(crate) fn client(settings: Settings, api: FakeApi) -> Client {
    Client::with_sources(settings, api, clock(), |bytes| bytes.fill(7))
}

/// Any JSON object as event data.
#[derive(serde::Deserialize)]
#[serde(transparent)]
pub(crate) struct Any(pub(crate) Value);

impl EventData for Any {
    const NAME: &'static str = "demo/event.sent";
}

/// A function made of a closure over its steps.
pub(crate) struct Scripted<F>(pub(crate) F);

impl<F> Function for Scripted<F>
where
    F: for<'a> Fn(Step<'a>, Value) -> futures_util::future::BoxFuture<'a, Result<Value>>
        + Send
        + Sync
        + 'static,
{
    type Event = Any;
    type Output = Value;
    type OnFailure = ();

    fn config() -> Config {
        Config::id("fn")
    }

    async fn run(&self, cx: Context<'_, Self>) -> Result<Value> {
        (self.0)(cx.step, cx.event.data.0).await
    }
}

/// An endpoint with one function, `app-fn`.
pub(crate) fn serving<F>(settings: Settings, script: F) -> Endpoint
where
    F: for<'a> Fn(Step<'a>, Value) -> futures_util::future::BoxFuture<'a, Result<Value>>
        + Send
        + Sync
        + 'static,
{
    serving_with(client(settings, FakeApi::default()), script)
}

pub(crate) fn serving_with<F>(client: Client, script: F) -> Endpoint
where
    F: for<'a> Fn(Step<'a>, Value) -> futures_util::future::BoxFuture<'a, Result<Value>>
        + Send
        + Sync
        + 'static,
{
    App::new("app", client).function(Scripted(script)).build().expect("a valid app")
}

/// Returns the event's data.
pub(crate) fn echo(settings: Settings) -> Endpoint {
    serving(settings, |_, data| Box::pin(async move { Ok(data) }))
}

/// The same through a client of its own.
pub(crate) fn echo_through(client: Client) -> Endpoint {
    serving_with(client, |_, data| Box::pin(async move { Ok(data) }))
}

pub(crate) const CALL: &str = "/api/inngest?fnId=app-fn&stepId=step";

pub(crate) fn body() -> Value {
    json!({
        "ctx": { "run_id": "01M81HWYV2KTK2RAPW4NVTQ3GA", "attempt": 0, "max_attempts": 4,
                 "disable_immediate_execution": false, "stack": { "stack": [], "current": 0 } },
        "event": { "name": "demo/event.sent", "data": { "n": 1 }, "id": "01M8", "ts": 1_795_348_658_587_i64 },
        "events": [{ "name": "demo/event.sent", "data": { "n": 1 } }],
        "steps": {}, "use_api": false, "version": -1,
    })
}

/// A call with this memo, whose steps were finished in this order.
pub(crate) fn body_with(memo: &[(&str, Value)]) -> Value {
    let mut body = body();
    let hashes: Vec<_> = memo.iter().map(|(id, _)| hash(id)).collect();
    body["ctx"]["stack"] = json!({ "stack": hashes, "current": hashes.len() });
    for (id, data) in memo {
        body["steps"][hash(id)] = data.clone();
    }
    body
}

pub(crate) fn hash(id: &str) -> String {
    use sha1::{Digest as _, Sha1};
    hex::encode(Sha1::digest(id))
}

/// An answer, with its body parsed.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: http::HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {}", self.text))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("text"))
    }

    pub(crate) fn no_retry(&self) -> Option<&str> {
        self.header("x-inngest-no-retry")
    }

    /// The ops of a 206 as `(op, id)`.
    pub(crate) fn ops(&self) -> Vec<(String, String)> {
        assert_eq!(self.status, 206, "{}", self.text);
        let text = |op: &Value, key: &str| op[key].as_str().expect("text").to_owned();
        let ops = self.json();
        ops.as_array().expect("ops").iter().map(|op| (text(op, "op"), text(op, "name"))).collect()
    }
}

pub(crate) async fn send(endpoint: &Endpoint, request: Request<Bytes>) -> Answer {
    let (parts, body) = endpoint.handle(request).await.into_parts();
    let answer = Answer {
        status: parts.status,
        headers: parts.headers,
        text: String::from_utf8(body.to_vec()).expect("UTF-8"),
    };
    assert_eq!(answer.header("x-inngest-sdk"), Some("inngest-rs:v0.1.0"), "{answer:?}");
    assert_eq!(answer.header("x-inngest-req-version"), Some("2"));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("content-encoding"), None, "T15");
    answer
}

pub(crate) fn request(method: Method, uri: &str, body: impl Into<Bytes>) -> Request<Bytes> {
    Request::builder()
        .method(method)
        .uri(uri)
        .header("host", "app.example:3000")
        .body(body.into())
        .expect("a request")
}

pub(crate) async fn post(endpoint: &Endpoint, uri: &str, body: impl Into<Bytes>) -> Answer {
    send(endpoint, request(Method::POST, uri, body)).await
}

pub(crate) async fn call(endpoint: &Endpoint, body: &Value) -> Answer {
    post(endpoint, CALL, body.to_string()).await
}

/// A call for one step.
pub(crate) async fn call_step(endpoint: &Endpoint, step: &str, body: &Value) -> Answer {
    post(endpoint, &format!("/api/inngest?fnId=app-fn&stepId={}", hash(step)), body.to_string())
        .await
}

pub(crate) fn signed(mut request: Request<Bytes>, key: &str, t: i64) -> Request<Bytes> {
    let signature = SigningKey::new(key).sign(request.body(), t);
    request.headers_mut().insert("x-inngest-signature", signature.parse().expect("a header"));
    request
}

/// What the server remembers of a step that returned `value`.
pub(crate) fn done(value: impl Into<Value>) -> Value {
    json!({ "data": value.into() })
}

pub(crate) fn planned(ids: &[&str]) -> Vec<(String, String)> {
    ids.iter().map(|id| ("StepPlanned".to_owned(), (*id).to_owned())).collect()
}

/// The warnings and errors that the SDK logs in this thread, each as one line of its message and fields.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    /// Takes what came since the last time.
    pub(crate) fn warnings(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().expect("lines"))
    }
}

impl tracing::Subscriber for Log {
    fn register_callsite(
        &self,
        _: &'static tracing::Metadata<'static>,
    ) -> tracing::subscriber::Interest {
        tracing::subscriber::Interest::sometimes()
    }
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() <= tracing::Level::WARN && metadata.target().starts_with("inngest")
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::Id {
        tracing::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::Id, _: &tracing::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        self.0.lock().expect("lines").push(line.0);
    }
    fn enter(&self, _: &tracing::Id) {}
    fn exit(&self, _: &tracing::Id) {}
}

struct Line(String);

impl tracing::field::Visit for Line {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        use std::fmt::Write as _;
        write!(self.0, "{}={value:?} ", field.name()).expect("text");
    }
}
