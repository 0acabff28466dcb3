//! The functions of Inngest's conformance suite (P-206). They keep nothing: what they do depends on the attempt alone.

use std::time::Duration;

use inngest::{
    App, BuildError, CancelOn, Client, Config, Context, Endpoint, Event, EventData, Function,
    Result, Step,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The endpoint of the app `test-suite`.
pub(crate) fn endpoint(client: Client) -> Result<Endpoint, BuildError> {
    let same_request = "async.data.request_id == event.data.request_id";
    let cancel = CancelOn::named("cancel/please").matching(same_request);
    App::new("test-suite", client)
        .framework("axum")
        .function(Config::id("simple-fn").run(simple))
        .function(Config::id("step-test").run(steps))
        .function(Retries)
        .function(Config::id("cancel-test").cancel_on(cancel).run(cancelled))
        .function(Config::id("wait-for-event").run(waits))
        .build()
}

/// The keys stand in the order in which the suite expects them.
#[derive(Serialize)]
pub(crate) struct Done {
    name: String,
    body: &'static str,
}

impl Done {
    fn with(event: String) -> Self {
        Self { name: event, body: "ok" }
    }
}

/// An event of the suite whose data does not matter.
macro_rules! event {
    ($type:ident, $name:literal) => {
        #[derive(Deserialize)]
        pub(crate) struct $type {}

        impl EventData for $type {
            const NAME: &'static str = $name;
        }
    };
}

event!(FunctionTest, "tests/function.test");
event!(StepTest, "tests/step.test");
event!(RetryTest, "tests/retry.test");
event!(CancelTest, "tests/cancel.test");
event!(WaitTest, "tests/wait.test");

/// What a waiting run is resumed with, as it came.
#[derive(Deserialize)]
#[serde(transparent)]
struct Resume(Map<String, Value>);

impl EventData for Resume {
    const NAME: &'static str = "test/resume";
}

async fn simple(event: Event<FunctionTest>, _: Step<'_>) -> Result<Done> {
    Ok(Done::with(event.name))
}

#[derive(Serialize, Deserialize)]
struct Second {
    first: String,
    second: bool,
}

async fn steps(event: Event<StepTest>, step: Step<'_>) -> Result<Done> {
    let first = step.run("first step", async || Ok("first step".to_owned())).await?;
    step.sleep("sleep", Duration::from_secs(2)).await;
    step.run("second step", async || Ok(Second { first, second: true })).await?;
    Ok(Done::with(event.name))
}

/// It looks at the attempt, so it is no plain function.
struct Retries;

impl Function for Retries {
    type Event = RetryTest;
    type Output = Done;
    type OnFailure = ();

    fn config() -> Config {
        Config::id("retry-test")
    }

    async fn run(&self, cx: Context<'_, Self>) -> Result<Done> {
        let attempt = cx.run.attempt;
        let first = async || match attempt {
            0 => Err("broken".into()),
            _ => Ok(format!("yes: {}", attempt + 1)),
        };
        cx.step.run("first step", first).await?;
        match attempt {
            0 => Err("broken func".into()),
            _ => Ok(Done::with(cx.event.name)),
        }
    }
}

async fn cancelled(event: Event<CancelTest>, step: Step<'_>) -> Result<Done> {
    step.sleep("sleep", Duration::from_secs(10)).await;
    Ok(Done::with(event.name))
}

#[derive(Serialize)]
struct Waited {
    result: Option<Map<String, Value>>,
}

async fn waits(_: Event<WaitTest>, step: Step<'_>) -> Result<Waited> {
    let resumed = step
        .wait_for_event::<Resume>("wait")
        .when("async.data.resume == true && async.data.id == event.data.id")
        .timeout(Duration::from_secs(10))
        .await?;
    Ok(Waited { result: resumed.map(|event| event.data.0) })
}
