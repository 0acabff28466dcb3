//! P-189, P-190, P-040: what looks at calls, and what it may change.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use inngest::middleware::{CallInfo, Middleware, Payload, PayloadKind, StepInfo};
use inngest::{
    App, Client, Config, Context, Endpoint, Error, Function, NewEvent, Result, SendError,
};
use serde_json::value::to_raw_value;
use serde_json::{Value, json};

use crate::support::{
    Any, CALL, FakeApi, KEY, NOW, body, body_with, call, client, cloud, dev, request, send,
    serving_with, signed,
};

type Log = Arc<Mutex<Vec<String>>>;

/// Writes down its hooks.
struct Noting {
    name: &'static str,
    log: Log,
}

impl Noting {
    fn note(&self, hook: &str) {
        self.log.lock().unwrap().push(format!("{} {hook}", self.name));
    }
}

impl Middleware for Noting {
    fn on_call(&self, call: &mut CallInfo<'_>) {
        self.note(&format!("on_call {}", call.function_id));
    }
    fn incoming(&self, payload: &mut Payload<'_>) -> Result<()> {
        self.note(&format!("in {:?}", payload.kind));
        Ok(())
    }
    fn outgoing(&self, payload: &mut Payload<'_>) -> Result<()> {
        self.note(&format!("out {:?}", payload.kind));
        Ok(())
    }
    fn before_execution(&self, _: &CallInfo<'_>) {
        self.note("before_execution");
    }
    fn after_execution(&self, _: &CallInfo<'_>) {
        self.note("after_execution");
    }
    fn before_step(&self, _: &CallInfo<'_>, step: &StepInfo<'_>) {
        assert!(!inngest::is_replaying(), "what a hook logs is new");
        self.note(&format!("before_step {} {} {}", step.id, step.index, step.kind));
    }
    fn after_step(&self, _: &CallInfo<'_>, step: &StepInfo<'_>, _: Duration) {
        self.note(&format!("after_step {}", step.id));
    }
    fn on_step_error(&self, _: &CallInfo<'_>, step: &StepInfo<'_>, error: &Error, _: Duration) {
        self.note(&format!("on_step_error {} {error:?}", step.id));
    }
    fn transform_error(&self, _: &CallInfo<'_>, step: Option<&str>, error: &mut Error) {
        self.note(&format!("transform_error {step:?} {error}"));
    }
    fn before_response(&self, _: &CallInfo<'_>, response: &mut http::Response<Bytes>) {
        self.note(&format!("before_response {}", response.status().as_u16()));
    }
}

/// One step, then an end as the event asks for.
struct Watched(Log);

impl Function for Watched {
    type Event = Any;
    type Output = Value;
    type OnFailure = ();

    fn config() -> Config {
        Config::id("fn")
    }

    fn middleware(&self) -> Vec<Arc<dyn Middleware>> {
        vec![Arc::new(Noting { name: "function", log: Arc::clone(&self.0) })]
    }

    async fn run(&self, cx: Context<'_, Self>) -> Result<Value> {
        let n = &cx.event.data.0["n"];
        let a = cx.step.run("a", async || {
            assert_ne!(n, 12, "unlucky");
            Ok(json!("executed"))
        });
        let a = a.await?;
        assert_ne!(n, 13, "unlucky");
        let seen = cx.extensions.get::<&'static str>().copied();
        Ok(json!([a, n, seen]))
    }
}

fn app(client: Client, log: &Log) -> Endpoint {
    App::new("app", client).function(Watched(Arc::clone(log))).build().unwrap()
}

/// The event that the calls of these tests have, and the result of its step where it is done.
fn watched(n: u8, done: bool) -> Value {
    let mut body = if done { body_with(&[("a", json!({ "data": 1 }))]) } else { body() };
    body["event"]["data"]["n"] = json!(n);
    body
}

#[tokio::test]
async fn p190_hooks_come_in_order_each_once_also_on_panic() {
    let log = Log::default();
    let noting = |name| Noting { name, log: Arc::clone(&log) };
    let client = client(dev(), FakeApi::default())
        .with_middleware(noting("one"))
        .with_middleware(noting("two"));
    let endpoint = app(client, &log);
    // Inwards in the order in which they were given, outwards in the reverse one.
    let hooks = |inwards: &[&str], outwards: &[&str]| -> Vec<String> {
        let each = |hooks: &[&str], order: [&str; 3]| -> Vec<String> {
            hooks.iter().flat_map(|hook| order.map(|name| format!("{name} {hook}"))).collect()
        };
        let outwards = each(outwards, ["function", "two", "one"]);
        each(inwards, ["one", "two", "function"]).into_iter().chain(outwards).collect()
    };
    let event = r#"in Event { name: "demo/event.sent" }"#;
    let noted = || std::mem::take(&mut *log.lock().unwrap());

    assert_eq!(call(&endpoint, &watched(1, false)).await.status, 206);
    assert_eq!(
        noted(),
        hooks(
            &["on_call app-fn", event, "before_execution", "before_step a 0 step.run"],
            &[r#"out Step { id: "a" }"#, "after_step a", "after_execution", "before_response 206"],
        )
    );

    assert_eq!(call(&endpoint, &watched(1, true)).await.json(), json!([1, 1, null]));
    assert_eq!(
        noted(),
        hooks(
            &["on_call app-fn", event, "before_execution", r#"in Step { id: "a" }"#],
            &["after_execution", "out Output", "before_response 200"],
        )
    );

    let panicked =
        "panicked: assertion `left != right` failed: unlucky\n  left: Number(12)\n right: 12";
    assert_eq!(call(&endpoint, &watched(12, false)).await.status, 206);
    assert_eq!(
        noted(),
        hooks(
            &["on_call app-fn", event, "before_execution", "before_step a 0 step.run"],
            &[
                &format!("on_step_error a {panicked}"),
                &format!(r#"transform_error Some("a") {panicked}"#),
                "after_execution",
                "before_response 206",
            ],
        )
    );

    let panicked = panicked.replace("12", "13");
    assert_eq!(call(&endpoint, &watched(13, true)).await.status, 500);
    assert_eq!(
        noted(),
        hooks(
            &["on_call app-fn", event, "before_execution", r#"in Step { id: "a" }"#],
            &[
                "after_execution",
                &format!("transform_error None {panicked}"),
                "before_response 500"
            ],
        )
    );

    // A planned step has nothing to show yet.
    let mut planned = watched(1, false);
    planned["ctx"]["disable_immediate_execution"] = json!(true);
    call(&endpoint, &planned).await;
    assert_eq!(
        noted(),
        hooks(
            &["on_call app-fn", event, "before_execution"],
            &["after_execution", "before_response 206"]
        )
    );
}

/// What ends a step without an end of its code is reported all the same, and why.
#[tokio::test(start_paused = true)]
async fn p190_a_step_that_is_dropped_ends_with_an_error() {
    let log = Log::default();
    let client = client(dev(), FakeApi::default())
        .with_middleware(Noting { name: "one", log: Arc::clone(&log) });
    let endpoint = serving_with(client, |step, _| {
        Box::pin(async move {
            let forever = step.run("a", async || std::future::pending().await);
            let value = tokio::time::timeout(Duration::from_secs(60), forever).await;
            Ok(value.unwrap_or(Ok(json!("never"))).unwrap())
        })
    });
    let noted = || {
        let mut log = log.lock().unwrap();
        log.drain(..).filter(|hook| hook.contains("step")).collect::<Vec<_>>()
    };
    let dropped =
        "step `a` was dropped while its code ran; put a timeout inside the step, not around it";
    assert_eq!(call(&endpoint, &body()).await.json()[0]["error"]["message"], dropped);
    assert_eq!(
        noted(),
        [
            "one before_step a 0 step.run".to_owned(),
            format!("one on_step_error a {dropped}"),
            format!(r#"one transform_error Some("a") {dropped}"#)
        ]
    );
    // The server has hung up.
    let body = body();
    let cut_off = tokio::time::timeout(Duration::from_secs(1), call(&endpoint, &body)).await;
    assert!(cut_off.is_err());
    assert_eq!(
        noted()[1],
        "one on_step_error a the call was cut off while the code of step `a` ran"
    );
}

/// Names the kind of a request, marks what passes, and adds to what is sent.
struct Marking;

impl Middleware for Marking {
    fn on_call(&self, call: &mut CallInfo<'_>) {
        assert_eq!(call.run.id, "01M81HWYV2KTK2RAPW4NVTQ3GA");
        assert!(call.body.starts_with(b"{\"ctx\""));
        call.extensions.insert(if call.request.headers.contains_key("x-own") { "own" } else { "" });
    }

    fn incoming(&self, payload: &mut Payload<'_>) -> Result<()> {
        if let PayloadKind::Event { .. } = payload.kind {
            payload.replace(to_raw_value(&json!({ "n": "changed" }))?);
        }
        Ok(())
    }

    fn before_response(&self, call: &CallInfo<'_>, response: &mut http::Response<Bytes>) {
        assert_eq!(call.extensions.get(), Some(&"own"));
        response.headers_mut().insert("x-marked", "yes".parse().unwrap());
    }

    fn before_send(&self, events: &mut Vec<NewEvent>) {
        events.push(NewEvent::named("demo/extra", json!({})));
    }

    fn after_send(&self, sent: &std::result::Result<Vec<String>, SendError>) {
        assert_eq!(sent.as_ref().unwrap().len(), 2);
    }
}

/// P-189: context, event, and the raw request. The answer is signed as it leaves.
#[tokio::test]
async fn p189_what_passes_can_be_changed() {
    let client = client(cloud(), FakeApi::default()).with_middleware(Marking);
    let endpoint = app(client, &Log::default());
    let mut request = request(http::Method::POST, CALL, watched(1, true).to_string());
    request.headers_mut().insert("x-own", "1".parse().unwrap());
    let answer = send(&endpoint, signed(request, KEY, NOW)).await;
    assert_eq!(answer.json(), json!([1, "changed", "own"]));
    assert_eq!(answer.header("x-marked"), Some("yes"));
    let expected = inngest::signing::SigningKey::new(KEY).sign(answer.text.as_bytes(), NOW);
    assert_eq!(answer.header("x-inngest-signature"), Some(expected.as_str()));
}

#[tokio::test]
async fn p189_events_can_be_changed_before_they_leave() {
    let api = FakeApi::default().answer(200, r#"{"ids":["01A","01B"]}"#);
    let client = client(dev(), api.clone()).with_middleware(Marking);
    client.send(&[NewEvent::named("demo/sent", json!({}))]).await.unwrap();
    let sent: Value = serde_json::from_slice(api.requests()[0].body()).unwrap();
    assert_eq!(sent[1]["name"], "demo/extra");
}

#[tokio::test]
async fn p040_a_trace_goes_on() {
    struct Tells;
    impl Function for Tells {
        type Event = Any;
        type Output = Option<String>;
        type OnFailure = ();

        fn config() -> Config {
            Config::id("fn")
        }
        async fn run(&self, cx: Context<'_, Self>) -> Result<Option<String>> {
            Ok(cx.run.traceparent.map(str::to_owned))
        }
    }
    let client = client(dev(), FakeApi::default());
    let endpoint = App::new("app", client).function(Tells).build().unwrap();
    assert_eq!(call(&endpoint, &body()).await.text, "null");

    let parent = "00-3b97412f0aa0f47e80757159b60c73e4-8b328b34c67d597e-01";
    let mut traced = request(http::Method::POST, CALL, body().to_string());
    traced.headers_mut().insert("traceparent", parent.parse().unwrap());
    traced.headers_mut().insert("tracestate", "inngest@app=1".parse().unwrap());
    let answer = send(&endpoint, traced).await;
    assert_eq!(answer.json(), parent);
    assert_eq!(answer.header("traceparent"), Some(parent));
    assert_eq!(answer.header("tracestate"), Some("inngest@app=1"));
}
