//! The same functions as inngest/differential/app.mjs, which see: the two are sent the same calls.

use std::time::Duration;

use bytes::Bytes;
use inngest::{
    Client, Context, Endpoint, Error, EventData, Function, Result, ResultExt as _, Settings,
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

/// Declares a function from its id and its body, as `define` does on the other side.
macro_rules! define {
    ($type:ident, $id:literal, |$step:ident, $data:ident| $body:expr) => {
        struct $type;

        impl Function for $type {
            const ID: &'static str = $id;
            type Event = Sent;
            type Output = Value;

            async fn run(&self, cx: Context<'_, Sent>) -> Result<Value> {
                let ($step, $data) = (cx.step, cx.event.data.0);
                $body
            }
        }
    };
}

define!(Plain, "plain", |_step, data| Ok(data));
define!(One, "one", |step, _data| Ok(step.run("a", async || Ok(json!({ "n": 1 }))).await?));
define!(Parallel, "parallel", |step, _data| {
    let (one, two, three) = tokio::join!(
        step.run("p1", async || Ok(json!(1))),
        step.run("p2", async || Ok(json!(2))),
        step.run("p3", async || Ok(json!(3))),
    );
    Ok(json!([one?, two?, three?]))
});
define!(Sleeps, "sleep", |step, _data| {
    step.sleep("nap", Duration::from_millis(1500)).await;
    Ok(json!("rested"))
});
define!(Waits, "wait", |step, _data| {
    let wait = step.wait_for_event::<Other>("wait").matching("data.id");
    let event = wait.timeout(Duration::from_secs(60)).await?;
    Ok(json!(event.map(|event| event.data.0)))
});
define!(Invokes, "invoke", |step, _data| {
    let call = step.invoke_id::<Value>("call", "app-plain", &json!({ "x": 1 }));
    Ok(call.timeout(Duration::from_secs(60)).await?)
});
define!(Caught, "caught", |step, _data| {
    match step.run("fails", async || Err::<Value, _>("card declined".into())).await {
        Ok(value) => Ok(value),
        Err(error) => Ok(json!(format!("caught {}", error.message))),
    }
});
define!(Uncaught, "uncaught", |step, _data| {
    Ok(step.run("fails", async || Err("card declined".into())).await?)
});
define!(Final, "final", |_step, _data| Err("never again").no_retry());
define!(Retriable, "retriable", |_step, _data| Err("not now".into()));
define!(FinalStep, "final-step", |step, _data| {
    Ok(step.run("fails", async || Err("never again").no_retry()).await?)
});
define!(Later, "later", |_step, _data| Err(later()));
define!(LaterStep, "later-step", |step, _data| {
    Ok(step.run("fails", async || Err(later())).await?)
});
define!(Repeated, "repeated", |step, _data| {
    let first: Value = step.run("a", async || Ok(json!(1))).await?;
    step.sleep("a", Duration::from_secs(1)).await;
    let second: Value = step.run("a", async || Ok(json!(2))).await?;
    Ok(json!([first, second]))
});
define!(Nested, "nested", |step, _data| {
    Ok(step.run("a", async || Ok(json!({ "data": 1 }))).await?)
});
define!(Mixed, "mixed", |step, _data| {
    let nap = step.sleep("nap", Duration::from_secs(1));
    let (value, ()) = tokio::join!(step.run("a", async || Ok(json!(1))), nap);
    Ok(json!([value?, null]))
});
define!(Nothing, "nothing", |_step, _data| Ok(Value::Null));

/// No call of the comparison needs the Inngest API.
struct NoApi;

impl Transport for NoApi {
    fn send(&self, _: http::Request<Bytes>) -> TransportFuture<'_> {
        Box::pin(async { Err(TransportError::new("there is no Inngest API here")) })
    }
}

fn later() -> Error {
    Error::from("later").retry_after(Duration::from_secs(90))
}

#[tokio::main]
async fn main() -> Result<()> {
    let app = Endpoint::builder("app", Client::new(Settings::dev(), NoApi))
        .function(Plain)
        .function(One)
        .function(Parallel)
        .function(Sleeps)
        .function(Waits)
        .function(Invokes)
        .function(Caught)
        .function(Uncaught)
        .function(Final)
        .function(Retriable)
        .function(FinalStep)
        .function(Later)
        .function(LaterStep)
        .function(Repeated)
        .function(Nested)
        .function(Mixed)
        .function(Nothing)
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
