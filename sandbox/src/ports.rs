use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener as Guard};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU16, Ordering};

use tokio::net::{TcpListener, TcpSocket};

use crate::eventually;

/// Lower than the ports that a process gets by asking for any free one: the ephemeral range of Linux begins at 32768.
const FIRST: u16 = 20_000;
const BLOCKS: u16 = 12;
const BLOCK: u16 = 1_000;

/// The block of ports that this process has for itself. The listener on its first port keeps other processes out.
static OURS: LazyLock<Option<(u16, Guard)>> = LazyLock::new(|| {
    let blocks = (0..BLOCKS).map(|number| FIRST + number * BLOCK);
    blocks.filter_map(|first| Some((first, Guard::bind((Ipv4Addr::LOCALHOST, first)).ok()?))).next()
});

/// A listener on a free port of this machine.
///
/// No other world gets the port while this process lives: it can be left and taken again, as a program that is killed
/// and started again does.
pub async fn free_port() -> io::Result<TcpListener> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    if let Some((first, _)) = &*OURS {
        for _ in 1..BLOCK {
            let port = first + 1 + NEXT.fetch_add(1, Ordering::Relaxed) % (BLOCK - 1);
            if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await {
                return Ok(listener);
            }
        }
    }
    // So many worlds at once: any port will do.
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await
}

/// A free address of this machine, for a program that will listen there itself.
pub async fn free_address() -> io::Result<SocketAddr> {
    close(free_port().await?).await
}

/// Closes a listener for a program that will listen there itself. Returns its address.
///
/// A process that a test starts holds a copy of each listener from its fork until it executes its program. As long as one of
/// them listens, the address is in use, and a connection to it waits for ever.
pub async fn close(listener: TcpListener) -> io::Result<SocketAddr> {
    let address = listener.local_addr()?;
    drop(listener);
    eventually("the last copy of the listener is closed", async || {
        let socket = TcpSocket::new_v4().ok()?;
        socket.set_reuseaddr(true).ok()?;
        // It does not listen, so a copy of it is in the way of no other.
        socket.bind(address).ok()
    })
    .await;
    Ok(address)
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::time::Duration;

    use tokio::net::TcpListener;

    use super::{close, free_port};

    #[tokio::test]
    async fn an_address_is_free_once_the_last_copy_of_its_listener_is_closed() {
        let listener = free_port().await.unwrap().into_std().unwrap();
        let copy = listener.try_clone().unwrap();
        let mut closing = pin!(close(TcpListener::from_std(listener).unwrap()));
        assert!(tokio::time::timeout(Duration::ZERO, &mut closing).await.is_err());
        drop(copy);
        TcpListener::bind(closing.await.unwrap()).await.unwrap();
    }
}
