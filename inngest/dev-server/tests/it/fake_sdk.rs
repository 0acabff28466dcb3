//! A small SDK that answers by a script and records its calls.

#![expect(clippy::needless_pass_by_value, reason = "scripts pass `json!(..)` as it is")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::routing::put;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use url::Url;

/// A request that the server made.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) query: HashMap<String, String>,
    pub(crate) headers: HeaderMap,
    pub(crate) raw: Bytes,
    pub(crate) body: Value,
}

impl Call {
    pub(crate) fn function(&self) -> &str {
        &self.query["fnId"]
    }

    pub(crate) fn step(&self) -> &str {
        &self.query["stepId"]
    }

    pub(crate) fn attempt(&self) -> u64 {
        self.body["ctx"]["attempt"].as_u64().unwrap()
    }

    pub(crate) fn memo(&self, hash: &str) -> Option<&Value> {
        self.body["steps"].get(hash)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// A reply. It starts with the headers that every reply needs.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    pub(crate) fn new(status: u16, body: impl Into<String>) -> Self {
        let answer = Self { status, headers: HeaderMap::new(), body: body.into() };
        answer.with("x-inngest-sdk", "fake:v0.1.0").with("x-inngest-req-version", "2")
    }

    pub(crate) fn done(output: Value) -> Self {
        Self::new(200, output.to_string())
    }

    pub(crate) fn ops(ops: Value) -> Self {
        Self::new(206, ops.to_string())
    }

    pub(crate) fn ran(hash: &str, data: Value) -> Self {
        Self::ops(json!([{"op": "StepRun", "id": hash, "name": hash, "data": data}]))
    }

    pub(crate) fn step_error(hash: &str, message: &str) -> Self {
        let error = json!({"name": "Error", "message": message});
        Self::ops(json!([{"op": "StepError", "id": hash, "name": hash, "error": error}]))
    }

    pub(crate) fn planned(hashes: &[&str]) -> Self {
        let op = |hash| json!({"op": "StepPlanned", "id": hash, "name": hash, "data": null});
        Self::ops(hashes.iter().map(op).collect())
    }

    /// A sleep with the hash `nap`.
    pub(crate) fn sleep(duration: &str) -> Self {
        let opts = json!({"duration": duration});
        Self::ops(json!([{"op": "Sleep", "id": "nap", "name": "nap", "opts": opts, "data": null}]))
    }

    pub(crate) fn error(message: &str) -> Self {
        Self::new(500, json!({"name": "Error", "message": message}).to_string())
            .with("x-inngest-no-retry", "false")
    }

    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        let value = HeaderValue::from_str(value).unwrap();
        self.headers.insert(HeaderName::from_static(name), value);
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.remove(name);
        self
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        (StatusCode::from_u16(self.status).unwrap(), self.headers, self.body).into_response()
    }
}

type Script = dyn Fn(&Call) -> Answer + Send + Sync;

/// The running app.
#[derive(Clone)]
pub(crate) struct FakeSdk {
    pub(crate) url: Url,
    inner: Arc<Inner>,
}

struct Inner {
    script: Box<Script>,
    calls: Mutex<Vec<Call>>,
    syncs: Mutex<Vec<Call>>,
    registration: Mutex<Option<Registration>>,
}

/// Where and what the app registers when it is asked to.
#[derive(Clone)]
pub(crate) struct Registration {
    pub(crate) server: Url,
    pub(crate) token: Option<String>,
    pub(crate) payload: Value,
}

impl FakeSdk {
    pub(crate) async fn start(script: impl Fn(&Call) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let inner = Arc::new(Inner {
            script: Box::new(script),
            calls: Mutex::default(),
            syncs: Mutex::default(),
            registration: Mutex::default(),
        });
        let app = Router::new()
            .route("/api/inngest", put(sync).post(call))
            .layer(DefaultBodyLimit::disable())
            .with_state(Arc::clone(&inner));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url: format!("{origin}/api/inngest?a=1&b=2").parse().unwrap(), inner }
    }

    pub(crate) fn registers(&self, registration: Registration) {
        *self.inner.registration.lock().unwrap() = Some(registration);
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.inner.calls.lock().unwrap().clone()
    }

    pub(crate) fn syncs(&self) -> Vec<Call> {
        self.inner.syncs.lock().unwrap().clone()
    }
}

fn read(query: Option<String>, headers: HeaderMap, raw: Bytes) -> Call {
    let query = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes())
        .into_owned()
        .collect::<HashMap<_, _>>();
    let body = serde_json::from_slice(&raw).unwrap();
    Call { query, headers, raw, body }
}

async fn call(
    State(inner): State<Arc<Inner>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    raw: Bytes,
) -> Answer {
    let call = read(query, headers, raw);
    inner.calls.lock().unwrap().push(call.clone());
    (inner.script)(&call)
}

async fn sync(
    State(inner): State<Arc<Inner>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    raw: Bytes,
) -> Answer {
    inner.syncs.lock().unwrap().push(read(query, headers, raw));
    let registration = inner.registration.lock().unwrap().clone();
    let Some(registration) = registration else {
        return Answer::new(500, json!({"message": "not ready"}).to_string());
    };
    let url = registration.server.join("/fn/register").unwrap();
    let mut request = crate::world::client().post(url).body(registration.payload.to_string());
    if let Some(token) = registration.token {
        request = request.bearer_auth(token);
    }
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let message = response.text().await.unwrap();
    Answer::new(status, json!({"message": message, "modified": false}).to_string())
}
