//! The limits of a listener, one by one, with small numbers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::routing::{any, get};
use sandbox::DEADLINE;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::super::{Limits, serve};
use crate::clock::SystemClock;

/// A limit that no test reaches.
const NEVER: Duration = Duration::from_secs(3600);
const SOON: Duration = Duration::from_millis(200);

const WIDE: Limits = Limits { connections: 1000, head: NEVER, body: NEVER, idle: NEVER };

struct Served {
    address: SocketAddr,
    /// A permit lets one request to `/work` be answered.
    work: Arc<Semaphore>,
    /// A permit for each request to `/work` or `/body` that has come.
    came: Arc<Semaphore>,
    stop: CancellationToken,
    serving: JoinHandle<()>,
}

impl Served {
    async fn with(limits: Limits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (work, came) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let (allowed, coming) = (Arc::clone(&work), Arc::clone(&came));
        let works = move || {
            let (allowed, coming) = (Arc::clone(&allowed), Arc::clone(&coming));
            async move {
                coming.add_permits(1);
                allowed.acquire().await.unwrap().forget();
                "worked"
            }
        };
        let coming = Arc::clone(&came);
        let reads = move |request: Request| {
            coming.add_permits(1);
            read(request)
        };
        let router = Router::new()
            .route("/", get(|| async { "here" }))
            .route(
                "/who",
                get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.to_string() }),
            )
            .route("/body", any(reads))
            .route("/work", get(works));
        let stop = CancellationToken::new();
        let serving = serve(listener, router, limits, Arc::new(SystemClock), stop.clone());
        Self { address, work, came, stop, serving: tokio::spawn(serving) }
    }

    async fn connect(&self) -> Client {
        Client(TcpStream::connect(self.address).await.unwrap())
    }

    /// A connection on which `/work` is being worked on.
    async fn busy(&self) -> Client {
        let mut client = self.used().await;
        client.sends("GET /work HTTP/1.1\r\nHost: x\r\n\r\n").await;
        in_time(self.came.acquire()).await.unwrap().forget();
        client
    }

    /// A connection on which a request was answered. On a busy machine the first one may come too late for the limits.
    async fn used(&self) -> Client {
        in_time(async {
            loop {
                let mut client = self.connect().await;
                if client.asks().await.is_some() {
                    return client;
                }
            }
        })
        .await
    }

    /// Until the limit for the first head is over for every connection that there is now.
    async fn head_limit_is_over(&self) {
        assert_eq!(self.connect().await.hears_until_closed().await, "");
    }

    async fn ends(self) {
        self.stop.cancel();
        in_time(self.serving).await.unwrap();
    }
}

async fn read(request: Request) -> String {
    match axum::body::to_bytes(request.into_body(), 1 << 20).await {
        Ok(body) => format!("{} bytes", body.len()),
        Err(_) => "broken off".to_owned(),
    }
}

struct Client(TcpStream);

impl Client {
    async fn sends(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    /// All that comes until the server closes the connection.
    async fn hears_until_closed(&mut self) -> String {
        let mut heard = Vec::new();
        // What was on its way to us when the server closed makes a reset of it.
        let _ = in_time(self.0.read_to_end(&mut heard)).await;
        String::from_utf8(heard).unwrap()
    }

    /// All that comes until `end` has come.
    async fn hears(&mut self, end: &str) -> String {
        self.hears_or_is_closed(end).await.unwrap_or_else(|| panic!("closed before {end:?}"))
    }

    async fn hears_or_is_closed(&mut self, end: &str) -> Option<String> {
        let mut heard = String::new();
        while !heard.ends_with(end) {
            let mut piece = [0; 4096];
            let length =
                in_time(self.0.read(&mut piece)).await.ok().filter(|length| *length > 0)?;
            heard += std::str::from_utf8(&piece[..length]).unwrap();
        }
        Some(heard)
    }

    /// A whole request that is answered; nothing when the connection was closed instead.
    async fn asks(&mut self) -> Option<String> {
        self.0.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.ok()?;
        self.hears_or_is_closed("here").await
    }

    async fn is_served(&mut self) {
        assert!(self.asks().await.unwrap().starts_with("HTTP/1.1 200 "));
    }
}

async fn in_time<T>(waiting: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, waiting).await.unwrap()
}

#[tokio::test]
async fn a_connection_that_brings_no_request_is_closed() {
    let served = Served::with(Limits { head: SOON, ..WIDE }).await;
    for part in ["", "POST /api/amocrm-webhook HTTP/1.1\r\nHost: x\r\nA"] {
        let mut client = served.connect().await;
        client.sends(part).await;
        assert_eq!(client.hears_until_closed().await, "");
    }
    served.ends().await;
}

#[tokio::test]
async fn a_connection_that_is_not_used_any_more_is_closed() {
    let served = Served::with(Limits { idle: SOON, ..WIDE }).await;
    // Half of a second request is no use either.
    for part in ["", "GET / HTTP/1.1\r\nHo"] {
        let mut client = served.used().await;
        client.sends(part).await;
        assert_eq!(client.hears_until_closed().await, "");
    }
    served.ends().await;
}

#[tokio::test]
async fn a_connection_that_is_used_stays() {
    let served = Served::with(Limits { head: SOON, ..WIDE }).await;
    let mut client = served.used().await;
    served.head_limit_is_over().await;
    client.is_served().await;
    served.ends().await;
}

#[tokio::test]
async fn a_body_that_trickles_is_cut_off_and_its_connection_closed() {
    let served = Served::with(Limits { body: SOON, ..WIDE }).await;
    for framing in ["Content-Length: 1000000", "Transfer-Encoding: chunked"] {
        let mut client = served.connect().await;
        client.sends(&format!("POST /body HTTP/1.1\r\nHost: x\r\n{framing}\r\n\r\n")).await;
        let (mut reading, mut writing) = client.0.split();
        let trickles = async {
            // A chunk of one byte; without chunks, six bytes.
            while writing.write_all(b"1\r\nx\r\n").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            std::future::pending::<()>().await;
        };
        let mut heard = Vec::new();
        in_time(async {
            tokio::select! {
                _ = reading.read_to_end(&mut heard) => {}
                () = trickles => {}
            }
        })
        .await;
        let heard = String::from_utf8(heard).unwrap();
        assert!(heard.ends_with("broken off"), "{framing}: {heard}");
    }
    served.ends().await;
}

#[tokio::test]
async fn work_may_take_longer_than_any_client_may() {
    let served = Served::with(Limits { head: SOON, body: SOON, idle: SOON, ..WIDE }).await;
    let mut client = served.busy().await;
    served.head_limit_is_over().await;
    served.work.add_permits(1);
    client.hears("worked").await;
    served.ends().await;
}

#[tokio::test]
async fn newcomers_take_the_places_of_those_who_wait() {
    let served = Served::with(Limits { connections: 8, ..WIDE }).await;
    let mut busy = served.busy().await;
    let mut crowd = Vec::new();
    for number in 0..50 {
        let mut client = served.connect().await;
        // Half a head, half a body, or nothing.
        client
            .sends(
                ["GET / HT", "POST /body HTTP/1.1\r\nContent-Length: 9\r\n\r\nx", ""][number % 3],
            )
            .await;
        crowd.push(client);
        if number % 10 == 9 {
            served.connect().await.is_served().await;
        }
    }
    // The first ones had to go; what was being worked on did not.
    for client in crowd.iter_mut().take(35) {
        client.hears_until_closed().await;
    }
    served.work.add_permits(1);
    busy.hears("worked").await;
    drop(crowd);
    served.ends().await;
}

#[tokio::test]
async fn when_all_connections_work_a_newcomer_is_turned_away() {
    let served = Served::with(Limits { connections: 2, ..WIDE }).await;
    let mut busy = [served.busy().await, served.busy().await];
    assert_eq!(served.connect().await.hears_until_closed().await, "");
    served.work.add_permits(2);
    for client in &mut busy {
        client.hears("worked").await;
    }
    served.connect().await.is_served().await;
    served.ends().await;
}

#[tokio::test]
async fn a_head_has_its_limits() {
    let served = Served::with(WIDE).await;
    let large = format!("Cookie: {}", "x".repeat(128 * 1024));
    let many: String = (0..101).map(|number| format!("a{number}: 1\r\n")).collect();
    for headers in [large, many] {
        let mut client = served.connect().await;
        client.sends(&format!("GET / HTTP/1.1\r\n{headers}\r\n\r\n")).await;
        let heard = client.hears_until_closed().await;
        assert!(heard.starts_with("HTTP/1.1 431 "), "{heard}");
    }
    let large = "x".repeat(16 * 1024);
    let mut client = served.connect().await;
    client
        .sends(&format!("GET /?{large} HTTP/1.1\r\nHost: x\r\nCookie: {large:.10000}\r\n\r\n"))
        .await;
    client.hears("here").await;
    served.ends().await;
}

#[tokio::test]
async fn handlers_learn_who_is_calling() {
    let served = Served::with(WIDE).await;
    let mut client = served.connect().await;
    client.sends("GET /who HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let address = client.0.local_addr().unwrap().to_string();
    client.hears(&address).await;
    served.ends().await;
}

#[tokio::test]
async fn a_shutdown_waits_for_work_and_not_for_strangers() {
    let served = Served::with(Limits { head: SOON, ..WIDE }).await;
    let mut busy = served.busy().await;
    let mut strangers = Vec::new();
    for part in ["POST /body HTTP/1.1\r\nContent-Length: 9\r\n\r\nx", "", "GET / HT"] {
        let mut client = served.used().await;
        client.sends(part).await;
        strangers.push(client);
    }
    in_time(served.came.acquire()).await.unwrap().forget();
    served.stop.cancel();
    for stranger in &mut strangers {
        assert_eq!(stranger.hears_until_closed().await, "");
    }
    assert!(TcpStream::connect(served.address).await.is_err(), "nothing new is accepted");
    assert!(!served.serving.is_finished(), "work goes on");
    served.work.add_permits(1);
    busy.hears("worked").await;
    served.ends().await;
}
