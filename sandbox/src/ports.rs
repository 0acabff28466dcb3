use std::io;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU16, Ordering};

use tokio::net::TcpListener;

/// A listener on a free port of this machine.
///
/// Its port is one that a process does not get by asking for any free one: those lie higher (the ephemeral range of
/// Linux begins at 32768). So it can be left and taken again, as a program that is killed and started again does.
pub async fn free_port() -> io::Result<TcpListener> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Processes that run side by side begin at different ports.
    let first = 20_000 + u16::try_from(std::process::id() % 10_000).unwrap_or_default();
    for _ in 0..2_000 {
        let port = first + NEXT.fetch_add(1, Ordering::Relaxed) % 2_000;
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await {
            return Ok(listener);
        }
    }
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await
}
