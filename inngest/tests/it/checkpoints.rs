//! P-192..P-196: steps that are saved while the call goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use inngest::{Checkpointing, Config, Context, Endpoint, Error, Function, Result};
use serde_json::{Value, json};

use crate::support::{
    Answer, Any, FakeApi, NOW, body, body_with, call, call_step, client, dev, hash, serving_with,
};

/// Runs `a`, `b` and `c` one after the other, sleeps where the event says so, and returns their results.
struct Chain {
    ran: Arc<AtomicUsize>,
}

impl Function for Chain {
    type Event = Any;
    type Output = Value;
    type OnFailure = ();

    fn config() -> Config {
        Config::id("fn")
    }

    async fn run(&self, cx: Context<'_, Self>) -> Result<Value> {
        let (ran, ends) = (&self.ran, cx.event.data.0["ends"].as_str().unwrap_or_default());
        let step = async |id: &str| -> Result<Value> {
            let value = cx.step.run(id, async || {
                ran.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_secs(1)).await;
                Ok(json!({ "of": id, "n": 1.0 }))
            });
            Ok(value.await?)
        };
        let (a, b) = (step("a").await?, step("b").await?);
        match ends {
            "sleep" => cx.step.sleep("nap", Duration::from_secs(1)).await,
            "error" => drop(cx.step.run("bad", async || Err::<(), _>(Error::from("no"))).await?),
            "failure" => return Err(Error::from("broken")),
            "group" => drop(tokio::join!(step("x"), step("y"))),
            _ => {}
        }
        Ok(json!([a, b, step("c").await?]))
    }
}

struct App {
    endpoint: Endpoint,
    api: FakeApi,
    ran: Arc<AtomicUsize>,
}

fn app(settings: Checkpointing, api: FakeApi) -> App {
    let ran = Arc::new(AtomicUsize::new(0));
    let chain = Chain::config().checkpointing(settings).function(Chain { ran: Arc::clone(&ran) });
    let client = client(dev(), api.clone());
    let endpoint = inngest::App::new("app", client).function(chain).build().unwrap();
    App { endpoint, api, ran }
}

fn accepting(saves: usize) -> FakeApi {
    (0..saves).fold(FakeApi::default(), |api, _| api.answer(200, ""))
}

/// A call that the server lets be checkpointed, of a function that ends as `ends` says.
fn checkpointable(ends: &str) -> Value {
    let mut body = body();
    body["event"]["data"]["ends"] = json!(ends);
    for (key, value) in [
        ("fn_id", json!("76b3a25a-5227-566a-bde6-241cec043a9a")),
        ("qi_id", json!("aDlnaTVzN2c4eGY0OjpkZWZhdWx0")),
        ("request_id", json!("01M81HWYYVCC4WWGNPNPDE04AY")),
        ("generation_id", json!(1)),
    ] {
        body["ctx"][key] = value;
    }
    body
}

/// The ids of the steps in each save.
fn saved(api: &FakeApi) -> Vec<Vec<String>> {
    let names = |body: Value| {
        let steps = body["steps"].as_array().unwrap().clone();
        steps.iter().map(|step| step["name"].as_str().unwrap().to_owned()).collect()
    };
    api.requests().iter().map(|r| names(serde_json::from_slice(r.body()).unwrap())).collect()
}

fn result() -> Value {
    // `1`, not `1.0`: as every later call would see it.
    json!([{ "of": "a", "n": 1 }, { "of": "b", "n": 1 }, { "of": "c", "n": 1 }])
}

fn ops(answer: &Answer) -> Vec<String> {
    answer.ops().into_iter().map(|(op, name)| format!("{op} {name}")).collect()
}

#[tokio::test(start_paused = true)]
async fn p194_each_step_is_saved_and_the_function_goes_on_to_its_end() {
    let app = app(Checkpointing::new(), accepting(3));
    let answer = call(&app.endpoint, &checkpointable("")).await;
    assert_eq!((answer.status.as_u16(), answer.json()), (200, result()), "P-137: a plain 200");
    assert_eq!(saved(&app.api), [["a"], ["b"], ["c"]]);
    assert_eq!(app.ran.load(Ordering::SeqCst), 3);
    let request = &app.api.requests()[0];
    assert_eq!(request.method(), "POST");
    assert_eq!(request.uri().path(), "/v1/checkpoint/01M81HWYV2KTK2RAPW4NVTQ3GA/async");
    let first: Value = serde_json::from_slice(request.body()).unwrap();
    assert_eq!(
        first,
        json!({
            "run_id": "01M81HWYV2KTK2RAPW4NVTQ3GA",
            "fn_id": "76b3a25a-5227-566a-bde6-241cec043a9a",
            "qi_id": "aDlnaTVzN2c4eGY0OjpkZWZhdWx0",
            "request_id": "01M81HWYYVCC4WWGNPNPDE04AY",
            "generation_id": 1,
            "request_started_at": NOW * 1000,
            "ts": NOW * 1000,
            "steps": [{
                "op": "StepRun", "id": hash("a"), "name": "a", "displayName": "a", "userland": { "id": "a" },
                "data": { "of": "a", "n": 1.0 }, "timing": { "a": NOW * 1_000_000_000, "b": 0 },
            }],
        })
    );
}

/// Middleware looks on; it does not change how a run is called.
#[tokio::test(start_paused = true)]
async fn p194_steps_are_saved_within_the_call_also_where_there_is_middleware() {
    struct LooksOn;
    impl inngest::middleware::Middleware for LooksOn {}

    let api = accepting(3);
    let chain = Chain::config().checkpointing(Checkpointing::new());
    let chain = chain.function(Chain { ran: Arc::default() });
    let client = client(dev(), api.clone()).with_middleware(LooksOn);
    let endpoint = inngest::App::new("app", client).function(chain).build().unwrap();
    let answer = call(&endpoint, &checkpointable("")).await;
    assert_eq!((answer.status.as_u16(), answer.json()), (200, result()));
    assert_eq!(saved(&api), [["a"], ["b"], ["c"]]);
}

#[tokio::test(start_paused = true)]
async fn p195_everything_is_saved_before_anything_is_answered() {
    for (ends, answered) in [
        ("sleep", vec!["Sleep nap"]),
        ("error", vec!["StepError bad"]),
        ("group", vec!["StepPlanned x", "StepPlanned y"]),
    ] {
        let app =
            app(Checkpointing::new().steps_per_save(9).save_interval(Duration::MAX), accepting(1));
        assert_eq!(ops(&call(&app.endpoint, &checkpointable(ends)).await), answered);
        assert_eq!(saved(&app.api), [["a", "b"]], "{ends}");
    }
    let app =
        app(Checkpointing::new().steps_per_save(9).save_interval(Duration::MAX), accepting(1));
    let failed = call(&app.endpoint, &checkpointable("failure")).await;
    assert_eq!((failed.status.as_u16(), failed.no_retry()), (500, Some("false")));
    assert_eq!(saved(&app.api), [["a", "b"]]);
}

#[tokio::test(start_paused = true)]
async fn p195_saves_are_batched_by_number_and_by_age() {
    let by_number =
        app(Checkpointing::new().steps_per_save(2).save_interval(Duration::MAX), accepting(2));
    assert_eq!(call(&by_number.endpoint, &checkpointable("")).await.json(), result());
    assert_eq!(saved(&by_number.api), [vec!["a", "b"], vec!["c"]]);
    let by_age = app(
        Checkpointing::new().steps_per_save(9).save_interval(Duration::from_secs(1)),
        accepting(2),
    );
    assert_eq!(call(&by_age.endpoint, &checkpointable("")).await.json(), result());
    assert_eq!(
        saved(&by_age.api),
        [vec!["a", "b"], vec!["c"]],
        "`a` was a second old when `b` ended"
    );
}

#[tokio::test(start_paused = true)]
async fn p195_what_cannot_be_saved_is_answered_and_nothing_more_happens() {
    for api in [
        FakeApi::default().answer(404, "no such route"),
        // A server without this path shows its web page.
        FakeApi::default().answer(200, "<!DOCTYPE html><html></html>"),
        FakeApi::default().answer(400, r#"{"error":"cannot checkpoint async steps"}"#),
        FakeApi::default().answer(413, ""),
        FakeApi::default().answer(500, ""),
        FakeApi::default().fail("connection refused"),
    ] {
        let app = app(Checkpointing::new(), api);
        let answer = call(&app.endpoint, &checkpointable("")).await;
        assert_eq!(ops(&answer), ["StepRun a"]);
        assert_eq!((answer.no_retry(), app.ran.load(Ordering::SeqCst)), (None, 1));
    }
    let app = app(
        Checkpointing::new().steps_per_save(9).save_interval(Duration::MAX),
        FakeApi::default(),
    );
    assert_eq!(
        ops(&call(&app.endpoint, &checkpointable("")).await),
        ["StepRun a", "StepRun b", "StepRun c"]
    );
    let answer = call(&app.endpoint, &checkpointable("error")).await;
    assert_eq!(ops(&answer), ["StepRun a", "StepRun b", "StepError bad"], "a failure counts");
    assert_eq!(answer.no_retry(), Some("false"));
}

#[tokio::test(start_paused = true)]
async fn p195_a_save_that_is_never_answered_does_not_hold_the_call() {
    struct Hangs;
    impl inngest::Transport for Hangs {
        fn send(&self, _: http::Request<bytes::Bytes>) -> inngest::TransportFuture<'_> {
            Box::pin(std::future::pending())
        }
    }
    let client = inngest::Client::with_sources(dev(), Hangs, crate::support::clock(), |_| ());
    let chain =
        Chain::config().checkpointing(Checkpointing::new()).function(Chain { ran: Arc::default() });
    let endpoint = inngest::App::new("app", client).function(chain).build().unwrap();
    assert_eq!(ops(&call(&endpoint, &checkpointable("")).await), ["StepRun a"]);
}

#[tokio::test(start_paused = true)]
async fn p194_a_call_whose_work_was_given_away_stops_at_once() {
    let app = app(
        Checkpointing::new(),
        FakeApi::default().answer(409, r#"{"error":"stale dispatch","data":null,"status":409}"#),
    );
    let answer = call(&app.endpoint, &checkpointable("")).await;
    assert_eq!((answer.status.as_u16(), answer.no_retry()), (400, Some("true")));
    assert_eq!(app.ran.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn p195_a_call_that_takes_long_ends_with_the_step_under_way() {
    let app = app(Checkpointing::new().max_runtime(Duration::from_millis(1500)), accepting(1));
    assert_eq!(ops(&call(&app.endpoint, &checkpointable("")).await), ["StepRun b"]);
    assert_eq!(saved(&app.api), [["a"]]);
}

#[tokio::test(start_paused = true)]
async fn p196_some_calls_are_answered_the_ordinary_way() {
    let app = app(Checkpointing::new(), FakeApi::default());
    let with = |change: fn(&mut Value)| {
        let mut body = checkpointable("group");
        change(&mut body["ctx"]);
        body
    };
    let plan = with(|ctx| ctx["disable_immediate_execution"] = json!(true));
    assert_eq!(ops(&call(&app.endpoint, &plan).await), ["StepPlanned a"]);
    for change in [
        (|ctx: &mut Value| ctx["attempt"] = json!(1)) as fn(&mut Value),
        |ctx| ctx["fn_id"] = Value::Null,
        |ctx| ctx["qi_id"] = json!(""),
    ] {
        assert_eq!(ops(&call(&app.endpoint, &with(change)).await), ["StepRun a"]);
    }
    let mut targeted = checkpointable("group");
    let memo = body_with(&[("a", json!({ "data": 1 })), ("b", json!({ "data": 1 }))]);
    targeted["steps"] = memo["steps"].clone();
    targeted["ctx"]["stack"] = memo["ctx"]["stack"].clone();
    assert_eq!(ops(&call_step(&app.endpoint, "y", &targeted).await), ["StepRun y"]);
    assert!(app.api.requests().is_empty());

    let without = serving_with(client(dev(), FakeApi::default()), |step, _| {
        Box::pin(async move { Ok(step.run("a", async || Ok(json!(1))).await?) })
    });
    assert_eq!(
        ops(&call(&without, &checkpointable("")).await),
        ["StepRun a"],
        "off unless asked for"
    );
}

#[test]
fn p088_the_settings_are_registered_and_kept_within_what_a_call_can_take() {
    let settings = Checkpointing::new()
        .steps_per_save(0)
        .save_interval(Duration::MAX)
        .max_runtime(Duration::from_millis(1500));
    assert_eq!(
        serde_json::to_value(settings).unwrap(),
        json!({ "batch_steps": 1, "batch_interval": "7200s", "max_runtime": "1500ms" })
    );
}

/// Waits for something that is no step before and after a save, inside a combinator that polls only what was woken.
struct Foreign;

impl Function for Foreign {
    type Event = Any;
    type Output = Value;
    type OnFailure = ();

    fn config() -> Config {
        Config::id("fn").checkpointing(Checkpointing::new())
    }

    async fn run(&self, cx: Context<'_, Self>) -> Result<Value> {
        let branch = async |n: u64| -> Result<u64> {
            tokio::time::sleep(Duration::from_millis(n * 7)).await;
            match n {
                3 => Ok(cx.step.run("a", async || Ok(n)).await?),
                30 => Ok(cx.step.run("b", async || Ok(n)).await?),
                _ => Ok(0),
            }
        };
        let all = futures_util::future::try_join_all((0..40).map(branch)).await?;
        Ok(json!(all.iter().sum::<u64>()))
    }
}

#[tokio::test(start_paused = true)]
async fn t56_foreign_waits_go_on_over_a_save() {
    let api = accepting(2);
    let endpoint =
        inngest::App::new("app", client(dev(), api.clone())).function(Foreign).build().unwrap();
    let body = checkpointable("");
    let called = tokio::time::timeout(Duration::from_secs(60), call(&endpoint, &body));
    assert_eq!(called.await.expect("no wake-up is lost").json(), json!(33));
    assert_eq!(saved(&api), [["a"], ["b"]]);
}
