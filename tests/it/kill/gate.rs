//! A door in front of somebody: while it is shut, connections are refused at once, and those that exist are cut.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

/// Forwards connections, each to the next target that answers.
pub(super) struct Gate {
    pub(super) address: SocketAddr,
    open: Arc<AtomicBool>,
}

impl Gate {
    pub(super) async fn to(targets: Vec<SocketAddr>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, open) = (listener.local_addr().unwrap(), Arc::new(AtomicBool::new(true)));
        let gate = Self { address, open: Arc::clone(&open) };
        let (targets, turn) = (Arc::new(targets), Arc::new(AtomicUsize::new(0)));
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let (targets, open) = (Arc::clone(&targets), Arc::clone(&open));
                let turn = turn.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(async move { forward(connection, &targets, turn, &open).await });
            }
        });
        gate
    }

    pub(super) fn set_open(&self, open: bool) {
        self.open.store(open, Ordering::Relaxed);
    }
}

async fn forward(mut from: TcpStream, targets: &[SocketAddr], turn: usize, open: &AtomicBool) {
    let shut = async {
        while open.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let forwarding = async {
        for number in 0..targets.len() {
            let target = targets[(turn + number) % targets.len()];
            if let Ok(mut to) = TcpStream::connect(target).await {
                // Either side may go away: that is what is tested.
                let _ = copy_bidirectional(&mut from, &mut to).await;
                return;
            }
        }
    };
    tokio::select! {
        () = shut => {}
        () = forwarding => {}
    }
}
