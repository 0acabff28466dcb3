//! The functions of Inngest's conformance suite (P-206). They keep nothing: what they do depends on the attempt alone.

use std::time::Duration;

use inngest::{
    BuildError, CancelOn, Client, Config, Context, Endpoint, EventData, Function, Result,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The endpoint of the app `test-suite`.
pub(crate) fn endpoint(client: Client) -> Result<Endpoint, BuildError> {
    Endpoint::builder("test-suite", client)
        .framework("axum")
        .function(Simple)
        .function(Steps)
        .function(Retries)
        .function(Cancelled)
        .function(Waits)
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

/// An event of the suite whose data nobody looks at.
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

struct Simple;

impl Function for Simple {
    const ID: &'static str = "simple-fn";
    type Event = FunctionTest;
    type Output = Done;

    async fn run(&self, cx: Context<'_, FunctionTest>) -> Result<Done> {
        Ok(Done::with(cx.event.name))
    }
}

struct Steps;

#[derive(Serialize, Deserialize)]
struct Second {
    first: String,
    second: bool,
}

impl Function for Steps {
    const ID: &'static str = "step-test";
    type Event = StepTest;
    type Output = Done;

    async fn run(&self, cx: Context<'_, StepTest>) -> Result<Done> {
        let first = cx.step.run("first step", async || Ok("first step".to_owned())).await?;
        cx.step.sleep("sleep", Duration::from_secs(2)).await;
        let second = async || Ok(Second { first: first.clone(), second: true });
        cx.step.run("second step", second).await?;
        Ok(Done::with(cx.event.name))
    }
}

struct Retries;

impl Function for Retries {
    const ID: &'static str = "retry-test";
    type Event = RetryTest;
    type Output = Done;

    async fn run(&self, cx: Context<'_, RetryTest>) -> Result<Done> {
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

struct Cancelled;

impl Function for Cancelled {
    const ID: &'static str = "cancel-test";
    type Event = CancelTest;
    type Output = Done;

    fn config(&self) -> Config {
        let same_request = "async.data.request_id == event.data.request_id";
        Config::new().cancel_on(CancelOn::named("cancel/please").matching(same_request))
    }

    async fn run(&self, cx: Context<'_, CancelTest>) -> Result<Done> {
        cx.step.sleep("sleep", Duration::from_secs(10)).await;
        Ok(Done::with(cx.event.name))
    }
}

struct Waits;

#[derive(Serialize)]
pub(crate) struct Waited {
    result: Option<Map<String, Value>>,
}

impl Function for Waits {
    const ID: &'static str = "wait-for-event";
    type Event = WaitTest;
    type Output = Waited;

    async fn run(&self, cx: Context<'_, WaitTest>) -> Result<Waited> {
        let resumed = cx
            .step
            .wait_for_event::<Resume>("wait")
            .when("async.data.resume == true && async.data.id == event.data.id")
            .timeout(Duration::from_secs(10))
            .await?;
        Ok(Waited { result: resumed.map(|event| event.data.0) })
    }
}
