//! The smallest app: `INNGEST_DEV=1 cargo run -p inngest --example hello`, then send `demo/hello` with `{"name":"you"}`.
use inngest::{App, AppError, Config, Event, EventData, Result, Step};

#[derive(serde::Deserialize)]
struct Hello {
    name: String,
}

impl EventData for Hello {
    const NAME: &'static str = "demo/hello";
}

async fn greet(event: Event<Hello>, step: Step<'_>) -> Result<String> {
    let name = event.data.name;
    Ok(step.run("greet", async || Ok(format!("Hello, {name}!"))).await?)
}

#[tokio::main]
async fn main() -> Result<(), AppError> {
    App::from_env("hello")?.function(Config::id("greet").run(greet)).serve("127.0.0.1:3000").await
}
