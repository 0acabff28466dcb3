//! The dev server on its own, for an app in any language:
//!
//! ```sh
//! cargo run -p inngest-dev-server --example serve -- 8288 http://127.0.0.1:3000/api/inngest
//! ```

use std::error::Error;
use std::time::Duration;

use inngest_dev_server::DevServer;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let port: u16 = arguments.next().ok_or("usage: serve <port> [<app url> ...]")?.parse()?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let mut server = DevServer::builder().retry_interval(Duration::from_secs(1));
    for app in arguments {
        server = server.app(app.parse()?);
    }
    let stop = CancellationToken::new();
    let _running = server.serve(listener, stop.clone())?;
    stop.cancelled().await;
    Ok(())
}
