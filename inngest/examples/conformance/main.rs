//! The app that Inngest's conformance suite calls. Listens on `PORT`, 3000 unless set.
//!
//! ```sh
//! INNGEST_DEV=1 PORT=3000 cargo run -p inngest --example conformance
//! ```

mod functions;

use inngest::{Client, ReqwestTransport, Settings};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let settings = Settings::from_env()?;
    let transport = ReqwestTransport::with_deadlines()?;
    let endpoint = functions::endpoint(Client::new(settings, transport))?;
    let port: u16 = variable("PORT").as_deref().unwrap_or("3000").parse()?;
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    axum::serve(listener, endpoint.into_router("/api/inngest")).await?;
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "an example is a program of its own")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
