//! Connections that fail: was the request sent?

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

use super::{impatient, in_time, run_deal, settings_for};
use crate::clock::SystemClock;
use crate::erp::{ErpClient, ErpError, Insertion};
use crate::outbound::Outbound;

/// Nothing listens here: tests have no right to low ports, and no service uses this one.
const UNUSED: &str = "127.0.0.1:1";

/// What a server does once it has read a request, or a connection.
#[derive(Debug, Clone, Copy)]
enum Act {
    /// Writes this and waits for the next request.
    Answer(&'static str),
    /// Writes this and closes the connection.
    Close(&'static str),
    /// Writes this and resets the connection.
    Reset(&'static str),
    /// Writes this and then nothing more.
    Stall(&'static str),
    /// Resets the connection without reading.
    ResetUnread,
}

/// A server that does one thing after the other, and counts the requests.
struct Server {
    url: Url,
    requests: Arc<AtomicUsize>,
}

impl Server {
    async fn that(acts: Vec<Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/api/rest.php", listener.local_addr().unwrap());
        let requests = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&requests);
        tokio::spawn(async move {
            let mut acts = acts.into_iter().peekable();
            while acts.peek().is_some() {
                let (connection, _) = listener.accept().await.unwrap();
                serve(connection, &mut acts, &count).await;
            }
        });
        Self { url: url.parse().unwrap(), requests }
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }
}

async fn serve(
    mut connection: TcpStream,
    acts: &mut impl Iterator<Item = Act>,
    requests: &AtomicUsize,
) {
    for act in acts {
        if matches!(act, Act::ResetUnread) {
            connection.set_zero_linger().unwrap();
            return;
        }
        if !read_request(&mut connection).await {
            return;
        }
        requests.fetch_add(1, Ordering::Relaxed);
        let (Act::Answer(text) | Act::Close(text) | Act::Reset(text) | Act::Stall(text)) = act
        else {
            return;
        };
        connection.write_all(text.as_bytes()).await.unwrap();
        match act {
            Act::Answer(_) => {}
            Act::Stall(_) => {
                // Until the client gives up.
                while connection.read(&mut [0; 64]).await.is_ok_and(|read| read > 0) {}
                return;
            }
            Act::Reset(_) => {
                connection.set_zero_linger().unwrap();
                return;
            }
            Act::Close(_) | Act::ResetUnread => return,
        }
    }
}

/// Reads one request to its end; `false`: there is none.
async fn read_request(connection: &mut TcpStream) -> bool {
    let mut request = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&request);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.to_lowercase();
            let length = length.split_once("content-length: ").unwrap().1;
            let length: usize = length.lines().next().unwrap().parse().unwrap();
            if body.len() >= length {
                return true;
            }
        }
        let mut bytes = [0; 4096];
        match connection.read(&mut bytes).await {
            Ok(read) if read > 0 => request.extend_from_slice(&bytes[..read]),
            _ => return false,
        }
    }
}

fn client(url: Url) -> ErpClient {
    let mut settings = settings_for(url);
    impatient(&mut settings);
    ErpClient::new(settings, Outbound::new(), Arc::new(SystemClock))
}

async fn insert(client: &ErpClient) -> Result<Insertion, ErpError> {
    client.insert(&run_deal(), in_time()).await
}

const CREATED: &str = "HTTP/1.1 200 OK\r\ncontent-length: 40\r\n\r\n{\"status\":\"success\",\"data\":{\"id\":\"119\"}}";

#[tokio::test]
async fn a_request_that_never_left_can_be_sent_again() {
    let plain = Server::that(vec![Act::ResetUnread]).await;
    for (why, url) in [
        ("nothing listens there", format!("http://{UNUSED}/api/rest.php")),
        ("no such host", format!("http://{}.invalid/api/rest.php", "x".repeat(64))),
        ("the TLS handshake fails", plain.url.as_str().replace("http:", "https:")),
    ] {
        let inserted = insert(&client(url.parse().unwrap())).await;
        assert!(matches!(inserted, Err(ErpError::Unavailable { .. })), "{why}: {inserted:?}");
    }
    assert_eq!(plain.requests(), 0);
}

#[tokio::test]
async fn a_request_that_may_have_arrived_leaves_the_outcome_open() {
    for act in [
        Act::ResetUnread,
        Act::Close(""),
        Act::Reset(""),
        Act::Stall(""),
        Act::Close("HTTP/1.1 200 OK\r\nConte"),
        Act::Reset("HTTP/1.1 200 OK\r\nConte"),
        Act::Stall("HTTP/1.1 200 OK\r\nConte"),
        Act::Close("SSH-2.0-OpenSSH_9.2\r\n"),
        Act::Close("HTTP/1.1 200 OK\r\ncontent-length: 40\r\n\r\n{\"status\":\"succ"),
        Act::Reset("HTTP/1.1 200 OK\r\ncontent-length: 40\r\n\r\n{\"status\":\"succ"),
        Act::Stall("HTTP/1.1 200 OK\r\ncontent-length: 40\r\n\r\n{\"status\":\"succ"),
        Act::Close("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\n{\"status\"\r\n"),
        Act::Close("HTTP/1.0 200 OK\r\n\r\n{\"status\":\"success\",\"data\":{\"id\":\"119"),
        Act::Close("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 40\r\n\r\n<html>"),
        Act::Close("HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n"),
    ] {
        let server = Server::that(vec![act]).await;
        let inserted = insert(&client(server.url.clone())).await;
        assert!(matches!(inserted, Ok(Insertion::Unknown { .. })), "{act:?}: {inserted:?}");
        let sent = usize::from(!matches!(act, Act::ResetUnread));
        assert_eq!(server.requests(), sent, "{act:?}: sent once");
    }
}

#[tokio::test]
async fn a_kept_connection_that_ends_with_the_request_is_not_a_reason_to_send_it_again() {
    for last in [Act::Close(""), Act::Reset("")] {
        // The third answer is for a repeat, which must not come.
        let server = Server::that(vec![Act::Answer(CREATED), last, Act::Answer(CREATED)]).await;
        let client = client(server.url.clone());
        let inserted = insert(&client).await;
        assert!(matches!(inserted, Ok(Insertion::Created { .. })), "{inserted:?}");
        let inserted = insert(&client).await;
        assert!(matches!(inserted, Ok(Insertion::Unknown { .. })), "{inserted:?}");
        assert_eq!(server.requests(), 2);
    }
}

/// The end of a connection and the next request cross each other, or do not.
#[tokio::test]
async fn a_connection_that_ends_after_its_answer_brings_each_request_once_or_not_at_all() {
    let server = Server::that(vec![Act::Close(CREATED); 50]).await;
    let client = client(server.url.clone());
    let mut created = 0;
    for _ in 0..50 {
        match insert(&client).await {
            Ok(Insertion::Created { .. }) => created += 1,
            Ok(Insertion::Unknown { .. }) => {}
            other => panic!("{other:?}"),
        }
        assert_eq!(server.requests(), created);
    }
    assert!(created >= 25, "every second one has a connection of its own: {created}");
}
