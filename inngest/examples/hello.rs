//! The smallest app: `cargo run -p inngest --example hello`, then send `demo/hello` with `{"name":"you"}`.
use inngest::{Client, Context, Endpoint, EventData, ReqwestTransport, Result, Settings};

#[derive(serde::Deserialize)]
struct Hello {
    name: String,
}

impl EventData for Hello {
    const NAME: &'static str = "demo/hello";
}

struct Greet;

impl inngest::Function for Greet {
    const ID: &'static str = "greet";
    type Event = Hello;
    type Output = String;

    async fn run(&self, cx: Context<'_, Hello>) -> Result<String> {
        let name = &cx.event.data.name;
        Ok(cx.step.run("greet", async || Ok(format!("Hello, {name}!"))).await?)
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let transport = ReqwestTransport::new(reqwest::Client::builder().build()?);
    let app = Endpoint::builder("hello", Client::new(Settings::dev(), transport))
        .function(Greet)
        .build()?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    axum::serve(listener, app.into_router("/api/inngest")).await?;
    Ok(())
}
