//! The test kit, which runs functions as the server would.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use inngest::testing::run;
use inngest::{Batch, Config, Context, Function, NewEvent, Result, ResultExt as _};
use serde_json::{Value, json};

use crate::support::Any;

/// Fetches, waits, sends an event and adds up.
#[derive(Clone, Default)]
struct Pipeline {
    failures_left: Arc<AtomicU32>,
    fetched: Arc<AtomicU32>,
    ends_badly: bool,
}

impl Pipeline {
    fn failing(times: u32) -> Self {
        Self { failures_left: Arc::new(AtomicU32::new(times)), ..Self::default() }
    }
}

impl Function for Pipeline {
    type Event = Any;
    type Output = Value;
    type OnFailure = ();

    fn config() -> Config {
        Config::id("pipeline").retries(2)
    }

    async fn run(&self, cx: Context<'_, Self>) -> Result<Value> {
        let fetch = async |name: &'static str| {
            cx.step
                .run("fetch", async || {
                    self.fetched.fetch_add(1, Ordering::Relaxed);
                    let left = self.failures_left.load(Ordering::Relaxed);
                    if left > 0 {
                        self.failures_left.store(left - 1, Ordering::Relaxed);
                        return Err("not yet").retry_after(Duration::from_secs(9));
                    }
                    Ok(name.to_owned())
                })
                .await
        };
        let (one, two) = futures_util::future::join(fetch("one"), fetch("two")).await;
        cx.step.sleep("nap", Duration::from_secs(3600)).await;
        let event = NewEvent::named("demo/told", json!({ "n": cx.event.data.0["n"] }));
        let ids = cx.step.send_event("tell", vec![event]).await?;
        if self.ends_badly {
            return Err("at the end").no_retry();
        }
        Ok(json!([one?, two?, ids]))
    }
}

#[tokio::test]
async fn a_run_goes_through_all_its_steps_in_order() {
    let done = run(Pipeline::default()).event(json!({ "n": 1 })).await;
    assert_eq!(done.output(), Some(&json!(["one", "two", ["sent-0"]])));
    assert_eq!(done.step_ids(), ["fetch", "fetch:1", "nap", "tell"]);
    assert_eq!(done.step("nap").unwrap().opts, json!({ "duration": "3600s" }));
    assert_eq!(done.sent_events(), [json!({ "name": "demo/told", "data": { "n": 1 } })]);
    assert_eq!(done.calls(), 7, "four discoveries and three steps with code");
}

#[tokio::test]
async fn retries_follow_each_other_and_their_delays_are_recorded() {
    let done = run(Pipeline::failing(2)).event(json!({})).await;
    let fetch = done.step("fetch").unwrap();
    assert_eq!(fetch.attempts, 3);
    assert_eq!(fetch.delays, [Some(Duration::from_secs(9)); 2]);
    assert!(done.output().is_some());

    let failed = run(Pipeline::failing(3)).event(json!({})).await;
    assert_eq!(failed.step("fetch").unwrap().result, Err("not yet".to_owned()));
    let error = failed.error().unwrap();
    assert_eq!((error.message.as_str(), error.is_final), ("not yet", true));
}

#[tokio::test]
async fn a_mock_stands_in_for_the_code_of_its_step_alone() {
    let pipeline = Pipeline::default();
    let done = run(pipeline.clone())
        .event(json!({}))
        .mock("fetch:1", json!("mocked"))
        .mock("tell", json!({ "ids": [] }))
        .await;
    assert_eq!(done.output(), Some(&json!(["one", "mocked", []])));
    assert_eq!(pipeline.fetched.load(Ordering::Relaxed), 1);
    assert_eq!(done.step("fetch:1").unwrap().attempts, 0);
    assert!(done.sent_events().is_empty());

    let failed = run(Pipeline::default()).event(json!({})).mock_error("tell", "no").await;
    assert_eq!(failed.error().unwrap().message, "no");
}

#[tokio::test]
async fn a_run_can_begin_after_a_crash() {
    let pipeline = Pipeline::default();
    let done = run(pipeline.clone())
        .event(json!({}))
        .finished_step("fetch", json!("saved"))
        .finished_step("fetch:1", json!("saved too"))
        .await;
    assert_eq!(done.step_ids(), ["nap", "tell"]);
    assert_eq!(done.output().unwrap()[0], "saved");
    assert_eq!(pipeline.fetched.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn failures_outside_steps_are_reported_with_their_attempts() {
    let bad = Pipeline { ends_badly: true, ..Pipeline::default() };
    let failed = run(bad).event(json!({})).await;
    let error = failed.error().unwrap();
    assert_eq!((error.message.as_str(), error.is_final, error.attempts), ("at the end", true, 1));

    struct Panics;
    impl Function for Panics {
        type Event = Any;
        type Output = ();
        type OnFailure = ();

        fn config() -> Config {
            Config::id("panics")
        }
        async fn run(&self, _: Context<'_, Self>) -> Result<()> {
            panic!("on purpose")
        }
    }
    let failed = run(Panics).event(json!({})).await;
    let error = failed.error().unwrap();
    assert_eq!((error.message.as_str(), error.is_final), ("panicked: on purpose", false));
    assert_eq!((error.attempts, failed.calls()), (5, 5));
}

#[tokio::test]
async fn several_events_are_a_batch_and_mistakes_end_the_run() {
    struct Count;
    impl Function for Count {
        type Event = Any;
        type Output = usize;
        type OnFailure = ();
        fn config() -> Config {
            Config::id("count").batch(Batch::new(5, Duration::from_secs(1)))
        }
        async fn run(&self, cx: Context<'_, Self>) -> Result<usize> {
            Ok(cx.events()?.len())
        }
    }
    let counted = run(Count).event(json!({})).event(json!({})).await;
    assert_eq!(counted.output(), Some(&json!(2)));

    let none = run(Count).event(Value::Null).await;
    assert_eq!(none.output(), Some(&json!(1)));
    let refused = run(Count).event(json!({})).event(5).await;
    assert_eq!(refused.error().unwrap().message, "the data of an event is no JSON object: 5");
    assert_eq!(refused.calls(), 0);

    struct Bad;
    impl Function for Bad {
        type Event = Any;
        type Output = ();
        type OnFailure = ();

        fn config() -> Config {
            Config::id("no good id")
        }
        async fn run(&self, _: Context<'_, Self>) -> Result<()> {
            Ok(())
        }
    }
    let refused = run(Bad).event(json!({})).await;
    assert!(refused.error().unwrap().message.starts_with("function id `no good id`"));
    assert_eq!(refused.calls(), 0);
}

/// P-062, P-115: what a server would give back, not what was handed to it.
#[tokio::test]
async fn numbers_and_texts_come_back_as_from_the_server() {
    struct Numbers;
    impl Function for Numbers {
        type Event = Any;
        type Output = Value;
        type OnFailure = ();

        fn config() -> Config {
            Config::id("numbers")
        }
        async fn run(&self, cx: Context<'_, Self>) -> Result<Value> {
            let ran: Value =
                cx.step.run("ran", async || Ok(json!([1.0, { "b": -0.0, "a": 1e21 }]))).await?;
            let saved: Value = cx.step.run("saved", async || Ok(json!("never"))).await?;
            let mocked: Value = cx.step.run("mocked", async || Ok(json!("never"))).await?;
            let text: Value = cx.step.run("text", async || Ok(json!(r#"{"a":1.0}"#))).await?;
            let invoked: Value = cx.step.invoke_id("invoked", "other-fn", &json!({})).await?;
            let seen = [cx.event.data.0, ran, saved, mocked, text, invoked];
            Ok(json!({ "seen": seen.map(|value| value.to_string()), "own": 1.0 }))
        }
    }
    let done = run(Numbers)
        .event(json!({ "total": 5.0, "large": u64::MAX }))
        .finished_step("saved", 2.0)
        .mock("mocked", json!({ "n": [3.0] }))
        .mock("invoked", r#"{"a":1.0}"#)
        .await;
    let seen = [
        r#"{"large":1.8446744073709552e+19,"total":5}"#,
        r#"[1,{"a":1e+21,"b":0}]"#,
        "2",
        r#"{"n":[3]}"#,
        r#""{\"a\":1.0}""#,
        r#"{"a":1}"#,
    ];
    assert_eq!(done.output(), Some(&json!({ "seen": seen, "own": 1 })));
    assert_eq!(done.step("ran").unwrap().result, Ok(json!([1, { "a": 1e21, "b": 0 }])));
    assert_eq!(done.step("mocked").unwrap().result, Ok(json!({ "n": [3] })));

    for (returned, kept) in [
        (json!(r#"{"a":1.0,"b":"{}"}"#), json!({ "a": 1, "b": "{}" })),
        (json!({ "a": 1.0 }), json!({ "a": 1 })),
        (json!([1.0]), json!([1.0])),
        (json!(1.0), json!(1.0)),
        (json!("[1.0]"), json!("[1.0]")),
        (json!("{bad"), json!("{bad")),
    ] {
        let echo = Config::id("echo").run(echo);
        assert_eq!(
            run(echo).event(json!({ "returns": returned.to_string() })).await.output(),
            Some(&kept)
        );
    }
}

async fn echo(event: inngest::Event<Any>, _: inngest::Step<'_>) -> Result<Value> {
    Ok(serde_json::from_str(event.data.0["returns"].as_str().unwrap_or_default())?)
}

#[tokio::test]
async fn what_leaves_the_process_needs_a_mock() {
    struct Invokes;
    impl Function for Invokes {
        type Event = Any;
        type Output = Value;
        type OnFailure = ();

        fn config() -> Config {
            Config::id("invokes")
        }
        async fn run(&self, cx: Context<'_, Self>) -> Result<Value> {
            Ok(cx.step.invoke_id("score", "other-score", &json!({ "n": 1 })).await?)
        }
    }
    let stuck = run(Invokes).event(json!({})).await;
    let message = "step `score` (InvokeFunction) leaves the process; give it a result with `mock`";
    assert_eq!(stuck.error().unwrap().message, message);
    let done = run(Invokes).event(json!({})).mock("score", 5).await;
    assert_eq!(done.output(), Some(&json!(5)));
    assert_eq!(done.step("score").unwrap().opts["function_id"], "other-score");
    let failed = run(Invokes).event(json!({})).mock_error("score", "no score").await;
    assert_eq!(failed.error().unwrap().message, "no score");
}
