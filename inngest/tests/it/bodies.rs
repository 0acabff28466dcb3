//! Bodies that are not verified yet: when they are read, and how much memory they may take together.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::Stream;
use http::{Method, Request};
use inngest::{Endpoint, MAX_BODY_BYTES, Settings};
use serde_json::json;

use crate::support::{CALL, FakeApi, KEY, NOW, body, client, cloud, echo, serving_with, signed};

const CHUNK: usize = 16 * 1024;

/// Chunks up to a length, counted as they are taken. What is not ended then stays silent.
struct Counted {
    left: usize,
    ends: bool,
    read: Arc<AtomicUsize>,
}

impl Stream for Counted {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let chunk = CHUNK.min(self.left);
        if chunk == 0 {
            return if self.ends { Poll::Ready(None) } else { Poll::Pending };
        }
        self.left -= chunk;
        self.read.fetch_add(chunk, Ordering::Relaxed);
        Poll::Ready(Some(Ok(Bytes::from_static(&[b' '; CHUNK]).slice(..chunk))))
    }
}

fn request(method: Method, signature: Option<&str>, length: usize, body: Body) -> Request<Body> {
    let mut request = Request::builder()
        .method(method)
        .uri(CALL)
        .header("host", "app.example")
        .header("content-length", length);
    if let Some(signature) = signature {
        request = request.header("x-inngest-signature", signature);
    }
    request.body(body).unwrap()
}

fn plausible(t: i64) -> String {
    format!("t={t}&s={}", "a1".repeat(32))
}

fn public() -> Settings {
    let mut settings = cloud();
    settings.serve_origin = Some("https://flow.example".to_owned());
    settings
}

#[tokio::test]
async fn what_is_refused_by_its_head_costs_no_body() {
    let fresh = plausible(NOW);
    let (stale, early) = (plausible(NOW - 301), plausible(NOW + 301));
    for (method, signature, status) in [
        (Method::POST, None, 401),
        (Method::PUT, None, 401),
        (Method::GET, None, 401),
        (Method::POST, Some(stale.as_str()), 401),
        (Method::POST, Some(early.as_str()), 401),
        (Method::POST, Some(&fresh[..fresh.len() - 2]), 401),
        (Method::POST, Some("t=1&s=zz"), 401),
        (Method::POST, Some(""), 401),
        (Method::DELETE, Some(fresh.as_str()), 405),
        (Method::DELETE, None, 405),
    ] {
        let read = Arc::new(AtomicUsize::new(0));
        let length = if method == Method::POST { MAX_BODY_BYTES } else { 64 * 1024 };
        let stream = Counted { left: length, ends: false, read: Arc::clone(&read) };
        let asked = request(method.clone(), signature, length, Body::from_stream(stream));
        let answer = echo(cloud()).serve(asked).now_or_never().expect("at once");
        assert_eq!(answer.status(), status, "{method} {signature:?}");
        assert!(answer.headers().contains_key("x-inngest-sdk"));
        assert_eq!(read.load(Ordering::Relaxed), 0, "{method} {signature:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_deploy_hook_is_answered_without_its_body() {
    let api = FakeApi::default().answer(200, r#"{"ok":true,"modified":true}"#);
    let endpoint = serving_with(client(public(), api), |_, data| Box::pin(async { Ok(data) }));
    let read = Arc::new(AtomicUsize::new(0));
    let stream = Counted { left: 1_000, ends: false, read: Arc::clone(&read) };
    let mut hook = request(Method::PUT, None, 1_000, Body::from_stream(stream));
    *hook.uri_mut() = "/api/inngest".parse().unwrap();
    assert_eq!(in_time(endpoint.serve(hook)).await.status(), 200);
    assert_eq!(read.load(Ordering::Relaxed), 0);
}

/// Syncs and probes are tiny; only a call may be as large as the server makes it. What announces more is refused, signed
/// or not, and is not read.
#[tokio::test(start_paused = true)]
async fn only_calls_may_be_large() {
    for (method, length, status) in [
        (Method::PUT, 64 * 1024 + 1, 413),
        (Method::GET, 64 * 1024 + 1, 413),
        (Method::POST, MAX_BODY_BYTES + 1, 413),
        (Method::PUT, 64 * 1024, 401),
    ] {
        for (signature, announced) in
            [(Some(plausible(NOW)), true), (None, true), (Some(plausible(NOW)), false)]
        {
            let read = Arc::new(AtomicUsize::new(0));
            let stream = Counted { left: length, ends: true, read: Arc::clone(&read) };
            let mut asked =
                request(method.clone(), signature.as_deref(), length, Body::from_stream(stream));
            if !announced {
                asked.headers_mut().remove("content-length");
            }
            let answer = in_time(echo(cloud()).serve(asked)).await;
            assert_eq!(answer.status(), status, "{method} {length}");
            let untouched = read.load(Ordering::Relaxed) == 0;
            assert!(untouched || !announced || status == 401, "{method} {length}");
        }
    }
}

/// Time is paused: nothing waits for it, and what would wait for ever fails.
async fn in_time<T>(answer: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), answer).await.expect("an answer within a minute")
}

fn start(endpoint: &Endpoint, read: &Arc<AtomicUsize>) -> tokio::task::JoinHandle<u16> {
    // All but the last byte arrive: it stays unverified.
    let stream = Counted { left: MAX_BODY_BYTES - 1, ends: false, read: Arc::clone(read) };
    let signature = plausible(NOW);
    let asked = request(Method::POST, Some(&signature), MAX_BODY_BYTES, Body::from_stream(stream));
    let endpoint = endpoint.clone();
    tokio::spawn(async move { in_time(endpoint.serve(asked)).await.status().as_u16() })
}

#[tokio::test(start_paused = true)]
async fn large_unverified_bodies_share_a_budget_and_ordinary_calls_need_none_of_it() {
    let endpoint = echo(cloud());
    let read = Arc::new(AtomicUsize::new(0));
    let forged: Vec<_> = (0..16).map(|_| start(&endpoint, &read)).collect();
    for _ in 0..10_000 {
        tokio::task::yield_now().await;
    }
    let most = 2 * MAX_BODY_BYTES + 16 * (64 * 1024 + CHUNK);
    let taken = read.load(Ordering::Relaxed);
    assert!(taken <= most, "{taken} bytes of untrusted clients are held, at most {most} may be");

    let call = http::Request::post(CALL).header("host", "app.example");
    let call = signed(call.body(Bytes::from(body().to_string())).unwrap(), KEY, NOW);
    let answer = endpoint.serve(call.map(Body::from)).now_or_never().expect("at once");
    assert_eq!(answer.status(), 200);

    // In the end all are sent away, and a large call has room again.
    for forged in forged {
        assert_eq!(forged.await.unwrap(), 503);
    }
    let mut large = body();
    large["steps"]["unused"] = json!({ "data": "x".repeat(1024 * 1024) });
    let large = http::Request::post(CALL).body(Bytes::from(large.to_string())).unwrap();
    let answer = endpoint.serve(signed(large, KEY, NOW).map(Body::from)).await;
    assert_eq!(answer.status(), 200);
}

/// Room is held until the signature is checked, not while the function runs.
#[tokio::test(start_paused = true)]
async fn a_call_under_way_takes_no_room_from_others() {
    let endpoint = serving_with(client(cloud(), FakeApi::default()), |step, _| {
        Box::pin(async move {
            step.run("slow", async || std::future::pending::<inngest::Result<()>>().await).await?;
            Ok(json!(null))
        })
    });
    let mut large = body();
    large["steps"]["unused"] = json!({ "data": "x".repeat(128 * 1024) });
    let large = Bytes::from(large.to_string());
    let mut waiting = Vec::new();
    for _ in 0..300 {
        let call = http::Request::post(CALL).body(large.clone()).unwrap();
        let mut call = Box::pin(endpoint.serve(signed(call, KEY, NOW).map(Body::from)));
        assert!(call.as_mut().now_or_never().is_none(), "its step never ends");
        waiting.push(call);
        // Or tokio takes this test for one that does not let others run.
        tokio::task::yield_now().await;
    }
    let probe = http::Request::post("/api/inngest?probe=trust").body(large).unwrap();
    let answer = in_time(endpoint.serve(signed(probe, KEY, NOW).map(Body::from))).await;
    assert_eq!(to_bytes(answer.into_body(), 100).await.unwrap(), "{}");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_arrive_is_given_up() {
    let read = Arc::new(AtomicUsize::new(0));
    let stream = Counted { left: 100, ends: false, read };
    let asked = request(Method::POST, Some(&plausible(NOW)), 200, Body::from_stream(stream));
    let answer = in_time(echo(cloud()).serve(asked)).await;
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.headers()["x-inngest-no-retry"], "false");
}
