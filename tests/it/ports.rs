//! Addresses that stay what they are while nobody listens there.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

/// Nobody listens here: tests have no right to low ports, and no service uses this one.
pub(crate) const NOBODY: &str = "127.0.0.1:1";

/// A port that no test gets by asking for a free one: those lie higher (the ephemeral range of Linux begins at 32768).
/// So it can be left and taken again, as a process that is killed and started again does.
pub(crate) fn kept() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + u16::try_from(std::process::id() % 10_000).unwrap();
    loop {
        let port = first + NEXT.fetch_add(1, Ordering::Relaxed);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}
