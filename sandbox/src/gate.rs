use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::free_port;

/// A gate in front of a server, or of several that share the load. While it is shut, connections are refused at once,
/// and those that exist are cut.
#[derive(Debug)]
pub struct Gate {
    address: SocketAddr,
    open: watch::Sender<bool>,
}

impl Gate {
    /// An open gate that forwards each connection to the next of `targets` that answers.
    pub(crate) async fn to(targets: Vec<SocketAddr>) -> io::Result<Self> {
        let listener = free_port().await?;
        let address = listener.local_addr()?;
        let (open, shut) = watch::channel(true);
        tokio::spawn(accept(listener, targets, shut));
        Ok(Self { address, open })
    }

    /// Where the gate is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Opens or shuts the gate.
    pub fn set_open(&self, open: bool) {
        self.open.send_replace(open);
    }
}

async fn accept(listener: TcpListener, targets: Vec<SocketAddr>, open: watch::Receiver<bool>) {
    let (turn, mut gate) = (AtomicUsize::new(0), open.clone());
    loop {
        tokio::select! {
            // The gate itself is gone.
            _ = gate.wait_for(|_| false) => return,
            accepted = listener.accept() => {
                let Ok((connection, _)) = accepted else { return };
                let mut order = targets.clone();
                order.rotate_left(turn.fetch_add(1, Ordering::Relaxed) % targets.len().max(1));
                tokio::spawn(forward(connection, order, open.clone()));
            }
        }
    }
}

async fn forward(mut from: TcpStream, targets: Vec<SocketAddr>, mut open: watch::Receiver<bool>) {
    let forwarding = async {
        for target in targets {
            if let Ok(mut to) = TcpStream::connect(target).await {
                // Either side may go away: that is what is tested.
                let _ = copy_bidirectional(&mut from, &mut to).await;
                return;
            }
        }
    };
    tokio::select! {
        // Shut, or gone.
        _ = open.wait_for(|open| !open) => {}
        () = forwarding => {}
    }
}
