//! Functions that are plain `async fn`s, and settings that only a program knows.

use http::Method;
use inngest::testing::{run, run_on_failure};
use inngest::{
    App, Config, Context, Event, Failure, Function, Result, ResultExt as _, Step, StepError,
};
use serde_json::{Value, json};

use crate::support::{Any, FakeApi, client, dev, request, send};

/// Borrows, joins and loops over its steps, and returns their error as it is.
async fn total(event: Event<Any>, step: Step<'_>) -> Result<u64, StepError> {
    let prices = event.data.0["prices"].as_array().cloned().unwrap_or_default();
    let first = |of: &Value| of.as_u64().ok_or("no price").no_retry();
    let (tax, discount) = tokio::join!(
        step.run("tax", async || Ok(7_u64)),
        step.race().run("discount", async || Ok(event.data.0["discount"].as_u64().unwrap_or(0))),
    );
    let mut sum = tax? - discount?;
    for price in &prices {
        sum += step.run("price", async || first(price)).await?;
    }
    Ok(sum)
}

async fn tell(failure: Failure<Any>, step: Step<'_>) -> Result<()> {
    let event = failure.event.map(|event| event.data.0);
    step.run("tell", async || Ok(json!([failure.error.message, event]))).await.map(drop)?;
    Ok(())
}

#[tokio::test]
async fn a_plain_function_runs_with_its_steps() {
    let total = || Config::id("total").run(total);
    let done = run(total()).event(json!({ "prices": [1, 2], "discount": 3 })).await;
    assert_eq!(done.output(), Some(&json!(7)));
    assert_eq!(done.step_ids(), ["tax", "discount", "price", "price:1"]);
    let failed = run(total()).event(json!({ "prices": ["x"] })).await;
    assert_eq!(failed.error().unwrap().message, "no price");
    let alone = run_on_failure(total(), "broken").event(json!({})).await;
    assert_eq!(alone.error().unwrap().message, "the function has no failure handler");
}

#[tokio::test]
async fn a_plain_function_can_handle_its_failures() {
    let total = || Config::id("total").name("Total").retries(7).run(total).on_failure(tell);
    let told = run_on_failure(total(), "broken").event(json!({ "prices": [] })).await;
    assert_eq!(
        told.step("tell").unwrap().result,
        Ok(json!(["broken", { "Ok": { "prices": [] } }]))
    );

    let api = FakeApi::default().answer(200, "{}");
    let app = App::new("app", client(dev(), api.clone())).function(total()).build().unwrap();
    send(&app, request(Method::PUT, "/api/inngest", "")).await;
    let payload: Value = serde_json::from_slice(api.requests()[0].body()).unwrap();
    assert_eq!(payload["functions"][1]["name"], "Total (failure)");
    assert_eq!(
        payload["functions"][1]["triggers"][0]["expression"],
        "event.data.function_id == 'app-total'"
    );
}

/// Like `Function::config` for one value: everything may differ, the id too.
#[tokio::test]
async fn settings_that_only_the_program_knows_stand_in_for_those_of_the_type() {
    struct Greet(&'static str);
    impl Function for Greet {
        type Event = Any;
        type Output = String;
        type OnFailure = ();
        fn config() -> Config {
            Config::id("greet").retries(3)
        }
        async fn run(&self, _: Context<'_, Self>) -> Result<String> {
            Ok(self.0.to_owned())
        }
    }
    let api = FakeApi::default().answer(200, "{}");
    let app = App::new("app", client(dev(), api.clone()))
        .function(Greet("a"))
        .function(Config::id("other").retries(1).function(Greet("b")))
        .build()
        .unwrap();
    send(&app, request(Method::PUT, "/api/inngest", "")).await;
    let payload: Value = serde_json::from_slice(api.requests()[0].body()).unwrap();
    let retries = |index: usize| payload["functions"][index]["steps"]["step"]["retries"].clone();
    assert_eq!([retries(0), retries(1)], [json!({ "attempts": 3 }), json!({ "attempts": 1 })]);
    let done = run(Greet::config().retries(0).function(Greet("c"))).event(json!({})).await;
    assert_eq!(done.output(), Some(&json!("c")));
}

/// The whole app is at most 20 lines, its function at most 11 beside the event's fields and the body.
#[test]
fn hello_stays_short() {
    let lines: Vec<_> = include_str!("../../examples/hello.rs")
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with("//"))
        .collect();
    assert!(lines.len() <= 20, "{}", lines.join("\n"));
    let at = |start: &str| lines.iter().position(|line| line.starts_with(start)).unwrap();
    let is_content = |line: &&&str| line.starts_with("    ") && !line.contains("const NAME");
    let function = &lines[at("#[derive")..at("#[tokio::main]")];
    let content = function.iter().filter(is_content).count();
    // One more line serves it.
    assert!(function.len() - content < 11, "{}", function.join("\n"));
}
