//! Requests that Inngest did not send: they choose nothing, cost little, and do not fill the log.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use futures_util::FutureExt as _;
use http::{Method, Request};
use inngest::{Client, Clock, Endpoint, Settings};
use serde_json::{Value, json};

use crate::support::{
    CALL, FakeApi, KEY, Log, NOW, body, client, cloud, echo, request, send, serving_with, signed,
};

const REGISTERED: &str = r#"{"ok":true,"modified":true}"#;
const APP: &str = r#"{"url":"https://flow.example/api/inngest?token=x"}"#;

/// Time that stands still until it is moved.
#[derive(Clone)]
struct Watch(Arc<AtomicI64>);

impl Watch {
    fn new() -> Self {
        Self(Arc::new(AtomicI64::new(NOW)))
    }

    fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::Relaxed);
    }

    fn clock(&self) -> Clock {
        let now = Arc::clone(&self.0);
        Clock::new(move || {
            let seconds = u64::try_from(now.load(Ordering::Relaxed)).unwrap();
            SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
        })
    }
}

fn public() -> Settings {
    let mut settings = cloud();
    settings.serve_origin = Some("https://flow.example".to_owned());
    settings
}

fn app(settings: Settings, api: &FakeApi) -> Endpoint {
    serving_with(client(settings, api.clone()), |_, data| Box::pin(async { Ok(data) }))
}

fn timed(settings: Settings, api: &FakeApi, watch: &Watch) -> Endpoint {
    let client = Client::with_sources(settings, api.clone(), watch.clock(), |bytes| bytes.fill(7));
    serving_with(client, |_, data| Box::pin(async { Ok(data) }))
}

fn payload(api: &FakeApi) -> Value {
    serde_json::from_slice(api.requests()[0].body()).unwrap()
}

fn put(uri: &str, headers: &[(&'static str, &str)], body: &str) -> Request<bytes::Bytes> {
    let mut put = request(Method::PUT, uri, body.to_owned());
    for (name, value) in headers {
        put.headers_mut().insert(*name, value.parse().unwrap());
    }
    put
}

const EVIL: [(&str, &str); 3] =
    [("host", "evil.example"), ("x-forwarded-proto", "http"), ("x-inngest-server-kind", "dev")];

#[tokio::test]
async fn an_unsigned_put_registers_what_the_settings_say_and_nothing_of_its_own() {
    let long = format!("/api/inngest/?deployId=evil&x={}", "y".repeat(7_000));
    for (path, url) in [
        (None, "https://flow.example/api/inngest"),
        (Some("/hooks/inngest"), "https://flow.example/hooks/inngest"),
    ] {
        let api = FakeApi::default().answer(200, REGISTERED);
        let mut settings = public();
        settings.serve_path = path.map(str::to_owned);
        let evil = put(&long, &EVIL, r#"{"url":"http://evil.example/?a=b"}"#);
        assert_eq!(send(&app(settings, &api), evil).await.status, 200);
        assert_eq!(payload(&api)["url"], url);
        let step = &payload(&api)["functions"][0]["steps"]["step"]["runtime"]["url"];
        assert_eq!(*step, format!("{url}?fnId=app-fn&stepId=step"));
        let sent = &api.requests()[0];
        assert_eq!(sent.uri().path_and_query().unwrap().as_str(), "/fn/register");
        assert!(sent.headers().get("x-inngest-expected-server-kind").is_none());
    }
}

/// Without `INNGEST_SERVE_PATH` it is unknown where another mount is reached from outside.
#[tokio::test]
async fn an_unsigned_put_elsewhere_is_refused_unless_the_settings_tell_the_path() {
    let api = FakeApi::default();
    let endpoint = app(public(), &api);
    for uri in ["/hooks/inngest", "/", "/api/inngest/x", "/api/%69nngest"] {
        assert_eq!(send(&endpoint, put(uri, &[], "")).await.status, 401, "{uri}");
    }
    assert!(api.requests().is_empty());
}

#[tokio::test]
async fn four_hundred_unsigned_puts_make_one_registration() {
    let (api, watch) =
        (FakeApi::slow().answer(200, REGISTERED).answer(200, REGISTERED), Watch::new());
    let endpoint = timed(public(), &api, &watch);
    let puts = (0..200).map(|_| send(&endpoint, put("/api/inngest", &[], "")));
    let together = futures_util::future::join_all(puts).await;
    for answer in &together {
        assert_eq!((answer.status.as_u16(), &answer.json()["modified"]), (200, &json!(true)));
    }
    for _ in 0..200 {
        watch.advance(i64::from(watch.0.load(Ordering::Relaxed) < NOW + 9));
        assert_eq!(send(&endpoint, put("/api/inngest", &[], "")).await.status, 200);
    }
    assert_eq!(api.requests().len(), 1);
    watch.advance(1);
    assert_eq!(send(&endpoint, put("/api/inngest", &[], "")).await.status, 200);
    assert_eq!(api.requests().len(), 2, "a deploy hook ten seconds later");
}

#[tokio::test]
async fn a_client_that_hangs_up_begins_no_second_registration_and_stops_no_other() {
    let api = FakeApi::slow().answer(200, REGISTERED);
    let endpoint = app(public(), &api);
    assert!(send(&endpoint, put("/api/inngest", &[], "")).now_or_never().is_none());
    for _ in 1..400 {
        // Polled once, then dropped, whether it was answered or not.
        let _ = send(&endpoint, put("/api/inngest", &[], "")).now_or_never();
    }
    assert_eq!(send(&endpoint, put("/api/inngest", &[], "")).await.status, 200);
    assert_eq!(api.requests().len(), 1);
}

/// The signature covers the body alone: what stands in the head of a captured sync can be changed.
#[tokio::test]
async fn a_replayed_signed_put_registers_the_url_that_was_signed() {
    let api = FakeApi::default().answer(200, REGISTERED);
    let evil = signed(put("/evil?token=y&a=b", &EVIL, APP), KEY, NOW);
    assert_eq!(send(&app(cloud(), &api), evil).await.status, 200);
    assert_eq!(payload(&api)["url"], "https://flow.example/api/inngest?token=x");

    let api = FakeApi::default().answer(200, REGISTERED);
    let mut settings = public();
    settings.serve_origin = Some("https://public.example".to_owned());
    let evil = signed(put("/evil?token=y&a=b", &EVIL, APP), KEY, NOW);
    assert_eq!(send(&app(settings, &api), evil).await.status, 200);
    assert_eq!(payload(&api)["url"], "https://public.example/api/inngest?token=x");
}

#[tokio::test]
async fn a_url_too_long_for_a_proxy_is_not_registered() {
    let api = FakeApi::default();
    let long = json!({ "url": format!("https://flow.example/?x={}", "y".repeat(2_100)) });
    for put in [
        put("/api/inngest", &[], &long.to_string()),
        put(&format!("/api/inngest?x={}", "y".repeat(2_100)), &[], "{}"),
    ] {
        let answer = send(&app(cloud(), &api), signed(put, KEY, NOW)).await;
        assert_eq!(answer.status, 400);
        let message = answer.json()["message"].as_str().unwrap().to_owned();
        assert!(message.contains("longer than 2048 bytes"), "{message}");
    }
    assert!(api.requests().is_empty());
}

#[tokio::test]
async fn a_deployment_is_named_by_a_short_id_or_not_at_all() {
    let api = FakeApi::default().answer(200, REGISTERED);
    let uri = format!("/api/inngest?deployId={}", "d".repeat(129));
    send(&app(cloud(), &api), signed(put(&uri, &[], APP), KEY, NOW)).await;
    assert_eq!(api.requests()[0].uri().path_and_query().unwrap().as_str(), "/fn/register");
}

/// Writing the canonical form of a megabyte costs a hundred times what its HMAC does, so a forger must not get it.
/// Only syncs need it, and they are small.
#[tokio::test]
async fn the_canonical_form_is_tried_for_small_bodies_alone() {
    let endpoint = echo(cloud());
    for (padding, status) in [(2_000, 200), (4_096, 401), (1_000_000, 401)] {
        let mut call = body();
        call["padding"] = json!("x".repeat(padding));
        let canonical = call.to_string();
        let mut call = signed(request(Method::POST, CALL, canonical.clone()), KEY, NOW);
        *call.body_mut() = canonical.replacen('{', "{ ", 1).into();
        assert_eq!(send(&endpoint, call).await.status, status, "{padding}");
    }
}

/// What a person sees whose proxy writes JSON anew: not that the key is wrong.
#[tokio::test]
async fn a_proxy_that_rewrites_bodies_is_told_from_a_wrong_key() {
    let (log, watch) = (Log::default(), Watch::new());
    let _guard = tracing::subscriber::set_default(log.clone());
    let endpoint = timed(cloud(), &FakeApi::default(), &watch);
    let mut large = body();
    large["event"]["data"]["text"] = json!("x".repeat(1_100_000));
    let large = serde_json_canonicalizer::to_string(&large).unwrap();
    let rewritten = |key: &str| {
        let now = watch.0.load(Ordering::Relaxed);
        let mut call = signed(request(Method::POST, CALL, large.clone()), key, now);
        *call.body_mut() = large.replacen('{', "{ ", 1).into();
        call
    };

    assert_eq!(send(&endpoint, rewritten(KEY)).await.status, 401);
    let lines = log.warnings();
    assert!(lines[0].contains("rewritten=1"), "{lines:?}");
    assert!(lines[0].contains("writes the JSON of bodies anew"), "{lines:?}");
    assert!(!lines[0].contains("INNGEST_SIGNING_KEY"), "{lines:?}");

    // The look at one body costs as much as many requests, so there is one in a minute.
    assert_eq!(send(&endpoint, rewritten(KEY)).await.status, 401);
    let refused = endpoint.refused();
    assert_eq!((refused.rewritten, refused.forged), (1, 1));
    watch.advance(60);
    assert_eq!(send(&endpoint, rewritten("signkey-test-deadbeef")).await.status, 401);
    watch.advance(60);
    assert_eq!(send(&endpoint, rewritten(KEY)).await.status, 401);
    let refused = endpoint.refused();
    assert_eq!((refused.rewritten, refused.forged), (2, 2));
}

#[tokio::test]
async fn forgeries_are_logged_once_a_minute_with_their_number() {
    let (log, watch) = (Log::default(), Watch::new());
    let _guard = tracing::subscriber::set_default(log.clone());
    let endpoint = timed(cloud(), &FakeApi::default(), &watch);
    let call = || request(Method::POST, CALL, body().to_string());
    let forged = || signed(call(), "signkey-test-deadbeef", watch.0.load(Ordering::Relaxed));

    for _ in 0..500 {
        assert_eq!(send(&endpoint, forged()).await.status, 401);
        assert_eq!(send(&endpoint, call()).await.status, 401);
    }
    assert_eq!(log.warnings().len(), 1, "the first is logged at once, the others are counted");
    watch.advance(59);
    send(&endpoint, forged()).await;
    assert_eq!(log.warnings(), [""; 0]);

    // A trusted call also logs those before it.
    watch.advance(1);
    send(&endpoint, signed(call(), KEY, NOW + 60)).await;
    let lines = log.warnings();
    assert_eq!(lines.len(), 1, "{lines:?}");
    for part in ["forged=500", "unsigned=500", "INNGEST_SIGNING_KEY"] {
        assert!(lines[0].contains(part), "{part}: {lines:?}");
    }
    let refused = endpoint.refused();
    assert_eq!((refused.forged, refused.unsigned, refused.stale), (501, 500, 0));
    watch.advance(600);
    send(&endpoint, signed(call(), KEY, NOW + 660)).await;
    assert_eq!(log.warnings(), [""; 0], "nothing new to log");
}
