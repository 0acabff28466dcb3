use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{copy, copy_bidirectional, sink};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::free_port;

/// A gate in front of a server, or of several that share the load. While it is shut, connections are refused at once,
/// and those that exist are cut. It can also fall silent.
#[derive(Debug)]
pub struct Gate {
    address: SocketAddr,
    open: watch::Sender<bool>,
    silence: watch::Sender<()>,
}

impl Gate {
    /// An open gate that forwards each connection to the next of `targets` that answers.
    pub async fn to(targets: Vec<SocketAddr>) -> io::Result<Self> {
        let listener = free_port().await?;
        let address = listener.local_addr()?;
        let ((open, shut), (silence, silent)) = (watch::channel(true), watch::channel(()));
        tokio::spawn(accept(listener, targets, shut, silent));
        Ok(Self { address, open, silence })
    }

    /// Where the gate is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Opens or shuts the gate.
    pub fn set_open(&self, open: bool) {
        self.open.send_replace(open);
    }

    /// Connections that exist fall silent, as after a failover or in a router that has lost them: what is sent is swallowed,
    /// nothing comes back, neither side hears that the other one has gone. New connections work.
    pub fn fall_silent(&self) {
        self.silence.send_replace(());
    }
}

async fn accept(
    listener: TcpListener,
    targets: Vec<SocketAddr>,
    open: watch::Receiver<bool>,
    silent: watch::Receiver<()>,
) {
    let (turn, mut gate) = (AtomicUsize::new(0), open.clone());
    loop {
        tokio::select! {
            // The gate itself is gone.
            _ = gate.wait_for(|_| false) => return,
            accepted = listener.accept() => {
                let Ok((connection, _)) = accepted else { return };
                let mut order = targets.clone();
                order.rotate_left(turn.fetch_add(1, Ordering::Relaxed) % targets.len().max(1));
                let mut silent = silent.clone();
                silent.mark_unchanged();
                tokio::spawn(forward(connection, order, open.clone(), silent));
            }
        }
    }
}

async fn forward(
    mut from: TcpStream,
    targets: Vec<SocketAddr>,
    mut open: watch::Receiver<bool>,
    mut silent: watch::Receiver<()>,
) {
    let forwarding = async {
        for target in targets {
            if let Ok(mut to) = TcpStream::connect(target).await {
                let falls_silent = tokio::select! {
                    // Either side may go away: that is what is tested.
                    _ = copy_bidirectional(&mut from, &mut to) => false,
                    changed = silent.changed() => changed.is_ok(),
                };
                if falls_silent {
                    let _ = copy(&mut from, &mut sink()).await;
                    std::future::pending::<()>().await;
                }
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
