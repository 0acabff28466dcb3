//! The listeners: which URL leads where, and what strangers get.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use futures_util::FutureExt as _;
use http::{Method, Request, StatusCode};
use inngest::{App, Client, Settings, Transport, TransportError, TransportFuture};
use prometei_flow::clock::{Clock as _, SystemClock};
use prometei_flow::db::Db;
use prometei_flow::http::{admin_router, public_router};
use prometei_flow::inbox::{BODY_LIMIT, Intake, webhook_router};
use prometei_flow::metrics::Metrics;
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt as _;

use crate::bodies;

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded; charset=UTF-8");
const SECRET: &str = "0123456789abcdef";

/// A body of which nothing ever comes.
fn endless_body() -> Body {
    Body::from_stream(futures_util::stream::pending::<Result<bytes::Bytes, std::io::Error>>())
}

/// No request may leave.
struct Nowhere;

impl Transport for Nowhere {
    fn send(&self, _: Request<bytes::Bytes>) -> TransportFuture<'_> {
        Box::pin(async { Err(TransportError::new("nothing is sent in this test")) })
    }
}

struct Service {
    public: Router,
    admin: Router,
    store: Db,
    _folder: TempDir,
}

impl Service {
    /// In cloud mode, with a webhook secret.
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/flow.db", folder.path().display());
        let clock = Arc::new(SystemClock);
        let store = Db::open(&url, clock.clone()).await.unwrap();
        let metrics = Metrics::new();
        let intake = Intake {
            store: store.clone(),
            clock,
            secrets: vec![SECRET.into()],
            filter: Default::default(),
            wake: Arc::default(),
            metrics: metrics.clone(),
        };
        let key = inngest::signing::SigningKey::new("signkey-test-0123456789abcdef");
        let client = Client::new(Settings::cloud("event-key", key), Nowhere);
        let endpoint = App::new("app", client).build().unwrap();
        let public = public_router(webhook_router(Arc::new(intake), endpoint));
        let admin = admin_router(store.clone(), metrics);
        Self { public, admin, store, _folder: folder }
    }

    async fn send(
        &self,
        method: Method,
        uri: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body.into()).unwrap();
        Answer::read(self.public.clone().oneshot(request).await.unwrap()).await
    }

    async fn waiting(&self) -> i64 {
        self.store.inbox_counts().await.unwrap().waiting
    }
}

struct Answer {
    status: StatusCode,
    from_sdk: bool,
    text: String,
}

impl Answer {
    async fn read(response: axum::response::Response) -> Self {
        let (status, from_sdk) =
            (response.status(), response.headers().contains_key("x-inngest-sdk"));
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        Self { status, from_sdk, text: String::from_utf8(body.to_vec()).unwrap() }
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }
}

#[tokio::test]
async fn the_serve_endpoint_answers_every_method_with_the_headers_of_the_sdk() {
    let service = Service::start().await;
    for path in ["/api/inngest", "/api/inngest/", "/api/inngest?fnId=app-x&stepId=step"] {
        for (method, status) in [
            (Method::GET, 401),
            (Method::PUT, 401),
            (Method::POST, 401),
            (Method::PATCH, 405),
            (Method::DELETE, 405),
            (Method::OPTIONS, 405),
        ] {
            let answer = service.send(method.clone(), path, &[], "{}").await;
            assert_eq!(
                (answer.status.as_u16(), answer.from_sdk),
                (status, true),
                "{method} {path}"
            );
            assert!(answer.json()["message"].is_string());
        }
    }
    let head = service.send(Method::HEAD, "/api/inngest", &[], "").await;
    assert_eq!((head.status.as_u16(), head.text.as_str()), (401, ""));
}

#[tokio::test]
async fn a_form_without_a_function_is_a_webhook_on_both_urls() {
    let service = Service::start().await;
    for path in ["/api/inngest", "/api/inngest/", "/api/amocrm-webhook"] {
        let uri = format!("{path}?secret={SECRET}");
        let answer = service.send(Method::POST, &uri, &[FORM], bodies::ORIGINAL).await;
        assert_eq!(
            (answer.status.as_u16(), answer.json()),
            (200, json!({ "accepted": 1 })),
            "{path}"
        );
    }
    assert_eq!(service.waiting().await, 3);
    // A form that names a function is a call, and an unsigned one.
    let call = "/api/inngest?fnId=app-x&secret=0123456789abcdef";
    let answer = service.send(Method::POST, call, &[FORM], bodies::ORIGINAL).await;
    assert_eq!((answer.status.as_u16(), answer.from_sdk), (401, true));
    assert_eq!(service.waiting().await, 3);
}

#[tokio::test]
async fn a_webhook_without_the_secret_does_nothing_whatever_its_size() {
    let service = Service::start().await;
    for uri in ["/api/amocrm-webhook", "/api/amocrm-webhook?secret=wrong", "/api/inngest?secret="] {
        for body in [bodies::ORIGINAL.to_owned(), "x".repeat(BODY_LIMIT + 1)] {
            let answer = service.send(Method::POST, uri, &[FORM], body).await;
            assert_eq!(answer.status, 401);
        }
    }
    assert_eq!(service.waiting().await, 0);
}

#[tokio::test]
async fn the_secret_is_looked_at_before_the_body_is() {
    let service = Service::start().await;
    for uri in ["/api/amocrm-webhook?secret=wrong", "/api/inngest?secret=wrong"] {
        // It never comes: who waits for it does not answer.
        let answer = service.send(Method::POST, uri, &[FORM], endless_body()).now_or_never();
        assert_eq!(answer.map(|answer| answer.status.as_u16()), Some(401), "{uri}");
    }
}

#[tokio::test]
async fn webhooks_that_are_being_read_hold_so_many_bytes_and_no_more() {
    let service = Service::start().await;
    let uri = format!("/api/amocrm-webhook?secret={SECRET}");
    let slow = || Box::pin(service.send(Method::POST, &uri, &[FORM], endless_body()));
    let mut reading: Vec<_> = (0..16 * 1024 * 1024 / BODY_LIMIT).map(|_| slow()).collect();
    for webhook in &mut reading {
        assert!(webhook.now_or_never().is_none());
    }
    let over = service.send(Method::POST, &uri, &[FORM], bodies::ORIGINAL).await;
    assert_eq!(over.status, 503, "amoCRM repeats it");
    reading.pop();
    let answer = service.send(Method::POST, &uri, &[FORM], bodies::ORIGINAL).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn a_webhook_over_the_limit_is_refused_with_and_without_its_length_told() {
    let service = Service::start().await;
    let uri = format!("/api/amocrm-webhook?secret={SECRET}");
    let length = (BODY_LIMIT + 1).to_string();
    let told = service.send(Method::POST, &uri, &[FORM, ("content-length", &length)], "").await;
    let untold = service.send(Method::POST, &uri, &[FORM], "x".repeat(BODY_LIMIT + 1)).await;
    assert_eq!((told.status.as_u16(), untold.status.as_u16()), (413, 413));
}

#[tokio::test]
async fn a_call_may_be_larger_than_a_webhook_but_not_endless() {
    let service = Service::start().await;
    // Without a signature's looks the body would not be read at all.
    let forged = format!("t={}&s={}", SystemClock.now().as_second(), "ab".repeat(32));
    let headers = [("x-inngest-signature", forged.as_str())];
    let large = |bytes: usize| {
        service.send(Method::POST, "/api/inngest?fnId=x", &headers, "x".repeat(bytes))
    };
    assert_eq!(large(7 * 1024 * 1024).await.status, 401);
    let endless = large(17 * 1024 * 1024).await;
    assert_eq!((endless.status.as_u16(), endless.from_sdk), (413, true));
}

#[tokio::test]
async fn strangers_find_nothing_else() {
    let service = Service::start().await;
    let alive = service.send(Method::GET, "/healthz", &[], "").await;
    assert_eq!((alive.status.as_u16(), alive.json()), (200, json!({ "status": "ok" })));
    for (method, uri, status) in [
        (Method::GET, "/api/amocrm-webhook", 405),
        (Method::GET, "/", 404),
        (Method::GET, "/metrics", 404),
        (Method::GET, "/readyz", 404),
        (Method::POST, "/healthz", 405),
        (Method::GET, "/%ff/../..//", 404),
    ] {
        let answer = service.send(method, uri, &[], "").await;
        assert_eq!(answer.status, status, "{uri}");
        assert!(answer.json()["error"].is_string());
    }
}

#[tokio::test]
async fn operators_see_readiness_and_numbers() {
    let service = Service::start().await;
    let uri = format!("/api/amocrm-webhook?secret={SECRET}");
    service.send(Method::POST, &uri, &[FORM], bodies::ORIGINAL).await;
    let get = async |uri: &str| {
        let request = Request::builder().uri(uri).body(Body::empty()).unwrap();
        Answer::read(service.admin.clone().oneshot(request).await.unwrap()).await
    };
    assert_eq!(get("/readyz").await.json(), json!({ "status": "ready" }));
    let metrics = get("/metrics").await.text;
    for line in [
        "prometei_flow_webhooks_received_total{outcome=\"accepted\"} 1\n",
        "prometei_flow_inbox_waiting 1\n",
    ] {
        assert!(metrics.contains(line), "{metrics}");
    }
    service.store.close().await;
    assert_eq!(get("/readyz").await.status, 503);
}
