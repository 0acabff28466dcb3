//! A listener with limits. `axum::serve` has none on time and on the number of connections, so the loop that accepts
//! them is here; the timers and the shutdown are hyper's.

mod connections;
#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulConnection, GracefulShutdown};
use tokio::net::{TcpListener, TcpStream, ToSocketAddrs};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::clock::SharedClock;
use crate::logging::Tally;
pub(super) use connections::client_key;
use connections::{Connections, Slot};

/// The largest head of a request, its URL included, rounded up to what was read at once; a larger one, or one of more
/// than a hundred headers, is answered 431. It is also the most that is read from a connection before it is looked at, so
/// it bounds what a half-open one costs: hyper's own 400 KiB would let 512 of them take 200 MB.
const HEAD_BYTES: usize = 32 * 1024;

/// Connections that the system keeps until they are accepted. Tokio asks for 128, and what comes beyond them in a burst
/// is tried again by its client after a second: too late for a webhook.
const BACKLOG: i32 = 4096;

/// How long to wait after the system had no connection to give: descriptors are short, and trying at once would take
/// the processor that frees them.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// What clients may hold, and for how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Connections at once. When they are all taken, a new one takes the place of one that waits for its client: the
    /// longest-waiting one of the client that has most.
    pub connections: usize,
    /// From the connection to the end of its first request's head.
    pub head: Duration,
    /// From the end of a request's head to the end of its body.
    pub body: Duration,
    /// From an answer to the end of the next request's head.
    pub idle: Duration,
}

impl Limits {
    /// Of the public listener in a process that may open so many descriptors (`ulimit -n`). The rest is for the database,
    /// for calls to the outside and for the admin listener.
    pub(crate) fn public(descriptors: usize) -> Self {
        Self {
            connections: (descriptors / 2).min(512),
            head: Duration::from_secs(10),
            body: Duration::from_secs(15),
            // Longer than common proxies keep a connection that they do not use: one that we close first could lose a
            // request that is just being sent.
            idle: Duration::from_secs(150),
        }
    }

    /// Of the admin listener in such a process.
    pub(crate) fn admin(descriptors: usize) -> Self {
        Self { connections: (descriptors / 16).min(64), ..Self::public(descriptors) }
    }
}

/// Listens on `address`.
pub(crate) async fn bind(address: impl ToSocketAddrs) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address).await?;
    // It listens already, with a shorter queue.
    rustix::net::listen(&listener, BACKLOG)?;
    Ok(listener)
}

/// Serves `router` until `stop`, then lets running requests finish. Dropped, it cuts them off.
///
/// Handlers find the address of the connection's other end in [`ConnectInfo`].
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    clock: SharedClock,
    stop: CancellationToken,
) {
    let connections = Connections::new(limits.connections);
    let (graceful, http) = (GracefulShutdown::new(), http(&limits));
    let (mut running, crowded, exhausted) = (JoinSet::new(), Tally::default(), Tally::default());
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(_) = running.join_next() => continue,
            // A connection that had to go ends first, so that a burst opens no more than the limit allows.
            accepted = listener.accept(), if running.len() <= limits.connections => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let (slot, is_crowded) = connections.admit(peer.ip());
                if is_crowded && let Some(times) = crowded.count(clock.now()) {
                    tracing::warn!(
                        times,
                        "the limit on connections is reached: one that waited for its client was closed"
                    );
                }
                let slot = Arc::new(slot);
                let served =
                    graceful.watch(connection(&http, stream, peer, &router, &slot, limits));
                running.spawn(hold(served, slot, limits.head));
            }
            Err(error) if was_given_up(&error) => {}
            Err(error) => {
                connections.make_room();
                if let Some(times) = exhausted.count(clock.now()) {
                    tracing::error!(%error, times, "a connection could not be accepted; some that waited for their clients were closed");
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    tokio::select! {
        () = graceful.shutdown() => {}
        // No client delays a shutdown: what still waits for one then is closed.
        () = async {
            tokio::time::sleep(limits.head).await;
            connections.close_waiting();
            while running.join_next().await.is_some() {}
        } => {}
    }
}

fn http(limits: &Limits) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.idle).max_buf_size(HEAD_BYTES);
    http
}

/// One connection: HTTP over `stream`, with the limits that hyper does not know.
fn connection(
    http: &http1::Builder,
    stream: TcpStream,
    peer: SocketAddr,
    router: &Router,
    slot: &Arc<Slot>,
    limits: Limits,
) -> impl GracefulConnection<Error = hyper::Error> + Send + use<> {
    let (router, slot) = (router.clone(), Arc::clone(slot));
    let answer = service_fn(move |request: Request<Incoming>| {
        let (router, slot) = (router.clone(), Arc::clone(&slot));
        let mut request = request.map(|body| slot.timed(body, limits.body));
        request.extensions_mut().insert(ConnectInfo(peer));
        async move {
            let answer = router.oneshot(request).await;
            slot.waits();
            answer
        }
    });
    http.serve_connection(TokioIo::new(stream), answer)
}

/// Holds a connection until it ends, has to go, or has brought no request in time.
async fn hold(served: impl Future<Output = hyper::Result<()>>, slot: Arc<Slot>, head: Duration) {
    let late = async {
        tokio::time::sleep(head).await;
        if slot.is_in_use() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        biased;
        () = slot.closed() => {}
        // An error of a connection is not logged: clients can cause it at will.
        _ = served => {}
        () = late => {}
    }
}

/// Whether the client gave a connection up before it was accepted.
fn was_given_up(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
