//! HTTP byte by byte, for what no well-behaved client would send.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{DEADLINE, World};

/// A connection to the service's public listener.
pub(crate) struct Wire(TcpStream);

impl<S> World<S> {
    pub(crate) async fn connect(&self) -> Wire {
        Wire(TcpStream::connect(self.replicas[0].address).await.unwrap())
    }

    /// The status that the head of a request is answered with although nothing follows it.
    pub(crate) async fn status_of_head(&self, head: &str) -> u16 {
        let mut wire = self.connect().await;
        wire.sends(head).await;
        wire.status().await
    }
}

impl Wire {
    /// Sends the head of a request, or a part of its body.
    pub(crate) async fn sends(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
    }

    /// The status of the next answer.
    pub(crate) async fn status(&mut self) -> u16 {
        let mut heard = Vec::new();
        while heard.len() < "HTTP/1.1 200".len() {
            let read = timeout(DEADLINE, self.0.read_buf(&mut heard)).await;
            assert_ne!(read.unwrap().unwrap(), 0, "closed after {heard:?}");
        }
        let heard = String::from_utf8(heard).unwrap();
        heard["HTTP/1.1 ".len()..][..3].parse().unwrap()
    }
}
