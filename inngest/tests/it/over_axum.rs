//! T03, T07, T08, T68 over a real server: what only the adapter can get wrong.

use std::net::SocketAddr;
use std::sync::Arc;

use inngest::{App, Endpoint, MAX_BODY_BYTES};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::support::{
    CALL, FakeApi, body as body_of_call, client, dev, echo, echo_through, serving,
};

struct Server {
    address: SocketAddr,
    stop: Arc<Notify>,
    ended: JoinHandle<std::io::Result<()>>,
}

async fn start(endpoint: Endpoint) -> Server {
    start_router(endpoint.into_router("/api/inngest")).await
}

async fn start_router(router: axum::Router) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = Arc::new(Notify::new());
    let stopped = Arc::clone(&stop);
    let serving = axum::serve(listener, router)
        .with_graceful_shutdown(async move { stopped.notified().await });
    Server { address, stop, ended: tokio::spawn(async move { serving.await }) }
}

/// Sends bytes as they are and reads until the server closes.
async fn exchange(server: &Server, head: &str, body: &[u8]) -> (u16, String) {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = format!("{head}\r\nhost: app.example\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    // The server may answer, and close, before it has read everything.
    let _ = stream.write_all(body).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8(answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap_or_else(|| panic!("no answer: {answer}"));
    (status.parse().unwrap(), answer)
}

async fn ask(server: &Server, method: &str, path: &str, body: &str) -> (u16, String) {
    let head = format!("{method} {path} HTTP/1.1\r\ncontent-length: {}", body.len());
    exchange(server, &head, body.as_bytes()).await
}

fn is_ours(answer: &str) -> bool {
    answer.contains("x-inngest-sdk: inngest-rs:v")
}

/// P-001, P-031, P-094, P-100.
#[tokio::test]
async fn t07_t08_methods_and_paths() {
    let server = start(echo(dev())).await;
    for path in ["/api/inngest", "/api/inngest/"] {
        let call = CALL.replace("/api/inngest", path);
        let (status, answer) = ask(&server, "POST", &call, &body_of_call().to_string()).await;
        assert_eq!((status, is_ours(&answer)), (200, true), "{answer}");
        let (status, answer) = ask(&server, "GET", path, "").await;
        assert_eq!((status, is_ours(&answer)), (200, true));
        let (status, answer) = ask(&server, "HEAD", path, "").await;
        assert_eq!((status, is_ours(&answer), answer.ends_with("\r\n\r\n")), (200, true, true));
        for method in ["DELETE", "PATCH", "OPTIONS"] {
            let (status, answer) = ask(&server, method, path, "").await;
            assert_eq!((status, is_ours(&answer)), (405, true));
            assert!(answer.ends_with(r#"{"message":"Method not allowed"}"#), "{answer}");
        }
    }
    assert_eq!(ask(&server, "GET", "/api/other", "").await.0, 404);
}

/// P-023: a router around ours takes its own part out of the path.
#[tokio::test]
async fn p023_a_nested_router_registers_the_whole_path() {
    const REGISTERED: &str = r#"{"ok":true,"modified":true}"#;
    for (origin, path, body, url) in [
        (None, "/v1/api/inngest?a=b", "", "http://app.example/v1/api/inngest?a=b"),
        (None, "/v1/api/inngest/", "", "http://app.example/v1/api/inngest/"),
        // What the server says it used, where that is this host: a proxy may have taken a part out too.
        (
            None,
            "/v1/api/inngest",
            r#"{"url":"https://app.example/outer/v1/api/inngest"}"#,
            "https://app.example/outer/v1/api/inngest",
        ),
        (
            None,
            "/v1/api/inngest",
            r#"{"url":"https://other.example/api/inngest"}"#,
            "http://app.example/v1/api/inngest",
        ),
        (
            Some("https://flow.example"),
            "/v1/api/inngest",
            "",
            "https://flow.example/v1/api/inngest",
        ),
    ] {
        let api = FakeApi::default().answer(200, REGISTERED);
        let mut settings = dev();
        settings.serve_origin = origin.map(str::to_owned);
        let endpoint = echo_through(client(settings, api.clone()));
        let inner = axum::Router::new().nest("/v1", endpoint.into_router("/api/inngest"));
        let server = start_router(inner).await;
        let (status, answer) = ask(&server, "PUT", path, body).await;
        assert_eq!(status, 200, "{answer}");
        let payload: Value = serde_json::from_slice(api.requests()[0].body()).unwrap();
        assert_eq!(payload["url"], url);
        let step = payload["functions"][0]["steps"]["step"]["runtime"]["url"].as_str().unwrap();
        assert!(step.starts_with(url), "{step}");
        let call = CALL.replace("/api", "/v1/api");
        let (status, answer) = ask(&server, "POST", &call, &body_of_call().to_string()).await;
        assert_eq!(status, 200, "{answer}");
        server.stop.notify_one();
        server.ended.await.unwrap().unwrap();
    }
}

/// I10.
#[tokio::test]
async fn an_app_registers_itself_when_it_begins_to_listen() {
    let api = FakeApi::default().fail("connection refused").answer(200, r#"{"modified":true}"#);
    let app = App::new("app", client(dev(), api.clone())).register_at_start();
    let served = tokio::spawn(app.serve("0.0.0.0:0"));
    let twice = async {
        let mut pause = tokio::time::interval(std::time::Duration::from_millis(20));
        while api.requests().len() < 2 {
            pause.tick().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), twice).await.unwrap();
    let payload: Value = serde_json::from_slice(api.requests()[1].body()).unwrap();
    let url = payload["url"].as_str().unwrap();
    assert!(url.starts_with("http://127.0.0.1:") && url.ends_with("/api/inngest"), "{url}");
    served.abort();
}

/// P-111: over axum's own limit of 2 MB, and up to ours, announced or not.
#[tokio::test]
async fn t03_large_bodies_are_read_and_larger_ones_refused() {
    let server = start(echo(dev())).await;
    let mut large = body_of_call();
    large["steps"]["unused"] = json!({ "data": "x".repeat(7 * 1024 * 1024) });
    assert_eq!(ask(&server, "POST", CALL, &large.to_string()).await.0, 200);

    let announced = format!("POST {CALL} HTTP/1.1\r\ncontent-length: {}", 100 * 1024 * 1024);
    let (status, answer) = exchange(&server, &announced, b"").await;
    assert_eq!((status, is_ours(&answer)), (413, true));
    assert!(answer.contains("x-inngest-no-retry: false"), "{answer}");

    let chunked = format!("POST {CALL} HTTP/1.1\r\ntransfer-encoding: chunked");
    let mut chunk = format!("{:x}\r\n", MAX_BODY_BYTES + 1).into_bytes();
    chunk.resize(chunk.len() + MAX_BODY_BYTES + 1, b' ');
    let (status, answer) = exchange(&server, &chunked, &chunk).await;
    assert_eq!((status, is_ours(&answer)), (413, true));
}

#[tokio::test]
async fn a_body_that_breaks_off_harms_no_other_request() {
    let server = start(echo(dev())).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = format!("POST {CALL} HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nhalf");
    stream.write_all(head.as_bytes()).await.unwrap();
    drop(stream);
    assert_eq!(ask(&server, "POST", CALL, &body_of_call().to_string()).await.0, 200);
}

#[tokio::test]
async fn t68_a_step_under_way_is_finished_when_the_server_stops() {
    let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (began, goes_on) = (Arc::clone(&begun), Arc::clone(&go_on));
    let endpoint = serving(dev(), move |step, _| {
        let (began, goes_on) = (Arc::clone(&began), Arc::clone(&goes_on));
        Box::pin(async move {
            let slow = step.run("slow", async || {
                began.notify_one();
                goes_on.notified().await;
                Ok(json!("finished"))
            });
            Ok(slow.await?)
        })
    });
    let server = start(endpoint).await;
    let text = body_of_call().to_string();
    let call = ask(&server, "POST", CALL, &text);
    let stop = async {
        begun.notified().await;
        server.stop.notify_one();
        tokio::task::yield_now().await;
        go_on.notify_one();
    };
    let ((status, answer), ()) = futures_util::future::join(call, stop).await;
    assert_eq!(status, 206);
    assert!(answer.contains(r#""data":"finished""#), "{answer}");
    server.ended.await.unwrap().unwrap();
}
