//! The same functions as inngest/differential/app.mjs, which see: the two are sent the same calls.

use std::time::Duration;

use bytes::Bytes;
use inngest::{
    App, Client, Config, Event, EventData, Result, ResultExt as _, Settings, Step, StepError,
    Transport, TransportError, TransportFuture,
};
use serde_json::{Value, json};

#[derive(serde::Deserialize)]
#[serde(transparent)]
struct Sent(Value);

impl EventData for Sent {
    const NAME: &'static str = "demo/sent";
}

#[derive(serde::Deserialize)]
#[serde(transparent)]
struct Other(Value);

impl EventData for Other {
    const NAME: &'static str = "demo/other";
}

async fn plain(event: Event<Sent>, _: Step<'_>) -> Result<Value> {
    Ok(event.data.0)
}

async fn one(_: Event<Sent>, step: Step<'_>) -> Result<Value> {
    Ok(step.run("a", async || Ok(json!({ "n": 1 }))).await?)
}

async fn parallel(_: Event<Sent>, step: Step<'_>) -> Result<Value> {
    let (one, two, three) = tokio::join!(
        step.run("p1", async || Ok(json!(1))),
        step.run("p2", async || Ok(json!(2))),
        step.run("p3", async || Ok(json!(3))),
    );
    Ok(json!([one?, two?, three?]))
}

async fn sleeps(_: Event<Sent>, step: Step<'_>) -> Result<Value> {
    step.sleep("nap", Duration::from_millis(1500)).await;
    Ok(json!("rested"))
}

async fn waits(_: Event<Sent>, step: Step<'_>) -> Result<Value> {
    let wait = step.wait_for_event::<Other>("wait").matching("data.id");
    let event = wait.timeout(Duration::from_secs(60)).await?;
    Ok(json!(event.map(|event| event.data.0)))
}

async fn invokes(_: Event<Sent>, step: Step<'_>) -> Result<Value> {
    let call = step.invoke_id("call", "app-plain", &json!({ "x": 1 }));
    Ok(call.timeout(Duration::from_secs(60)).await?)
}

async fn caught(_: Event<Sent>, step: Step<'_>) -> Result<Value> {
    match step.run("fails", async || Err("card declined".into())).await {
        Ok(value) => Ok(value),
        Err(error) => Ok(json!(format!("caught {}", error.message))),
    }
}

async fn uncaught(_: Event<Sent>, step: Step<'_>) -> Result<Value, StepError> {
    step.run("fails", async || Err("card declined".into())).await
}

async fn no_more(_: Event<Sent>, _: Step<'_>) -> Result<Value> {
    Err("never again").no_retry()
}

async fn retriable(_: Event<Sent>, _: Step<'_>) -> Result<Value> {
    Err("not now".into())
}

async fn final_step(_: Event<Sent>, step: Step<'_>) -> Result<Value, StepError> {
    step.run("fails", async || Err("never again").no_retry()).await
}

async fn later(_: Event<Sent>, _: Step<'_>) -> Result<Value> {
    Err("later").retry_after(Duration::from_secs(90))
}

async fn later_step(_: Event<Sent>, step: Step<'_>) -> Result<Value, StepError> {
    step.run("fails", async || Err("later").retry_after(Duration::from_secs(90))).await
}

async fn repeated(_: Event<Sent>, step: Step<'_>) -> Result<Value> {
    let first = step.run("a", async || Ok(json!(1))).await?;
    step.sleep("a", Duration::from_secs(1)).await;
    let second = step.run("a", async || Ok(json!(2))).await?;
    Ok(json!([first, second]))
}

async fn nested(_: Event<Sent>, step: Step<'_>) -> Result<Value> {
    Ok(step.run("a", async || Ok(json!({ "data": 1 }))).await?)
}

async fn mixed(_: Event<Sent>, step: Step<'_>) -> Result<Value> {
    let nap = step.sleep("nap", Duration::from_secs(1));
    let (value, ()) = tokio::join!(step.run("a", async || Ok(json!(1))), nap);
    Ok(json!([value?, null]))
}

async fn nothing(_: Event<Sent>, _: Step<'_>) -> Result<Value> {
    Ok(Value::Null)
}

async fn who(event: Event<Sent>, _: Step<'_>) -> Result<Value> {
    Ok(json!([event.user, event.v, event.ts]))
}

async fn input(_: Event<Sent>, step: Step<'_>) -> Result<i64> {
    Ok(step.run_with("double", 4, async |n: i64| Ok(n * 2)).await?)
}

async fn signal(_: Event<Sent>, step: Step<'_>) -> Result<Option<Value>> {
    let wait = step.wait_for_signal("wait", "paid");
    Ok(wait.timeout(Duration::from_secs(60)).await?)
}

async fn large(_: Event<Sent>, step: Step<'_>) -> Result<Value> {
    match step.run("large", async || Ok("<".repeat(1024 * 1024))).await {
        Ok(text) => Ok(json!(text.len())),
        Err(error) => Ok(json!(error.name)),
    }
}

/// No call of the comparison needs the Inngest API.
struct NoApi;

impl Transport for NoApi {
    fn send(&self, _: http::Request<Bytes>) -> TransportFuture<'_> {
        Box::pin(async { Err(TransportError::new("there is no Inngest API here")) })
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let app = App::new("app", Client::new(Settings::dev(), NoApi))
        .function(Config::id("plain").run(plain))
        .function(Config::id("one").run(one))
        .function(Config::id("parallel").run(parallel))
        .function(Config::id("sleep").run(sleeps))
        .function(Config::id("wait").run(waits))
        .function(Config::id("invoke").run(invokes))
        .function(Config::id("caught").run(caught))
        .function(Config::id("uncaught").run(uncaught))
        .function(Config::id("final").run(no_more))
        .function(Config::id("retriable").run(retriable))
        .function(Config::id("final-step").run(final_step))
        .function(Config::id("later").run(later))
        .function(Config::id("later-step").run(later_step))
        .function(Config::id("repeated").run(repeated))
        .function(Config::id("nested").run(nested))
        .function(Config::id("mixed").run(mixed))
        .function(Config::id("nothing").run(nothing))
        .function(Config::id("who").run(who))
        .function(Config::id("input").run(input))
        .function(Config::id("signal").run(signal))
        .function(Config::id("large").run(large))
        .build()?;
    let port: u16 = port().parse()?;
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    axum::serve(listener, app.into_router("/api/inngest")).await?;
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "an example is a program of its own")]
fn port() -> String {
    std::env::var("PORT").unwrap_or_else(|_| "3000".to_owned())
}
