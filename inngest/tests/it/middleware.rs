//! P-189, P-190, P-040: what looks at calls, and what it may change.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use inngest::middleware::{CallInfo, Input, Middleware, Output};
use inngest::{App, Client, Config, Context, Endpoint, Function, NewEvent, Result, SendError};
use serde_json::value::to_raw_value;
use serde_json::{Value, json};

use crate::support::{
    Answer, Any, CALL, FakeApi, KEY, NOW, body, body_with, call, client, cloud, dev, request, send,
    signed,
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
    fn transform_input(&self, call: &mut CallInfo<'_>, _: &mut Input<'_>) {
        self.note(&format!("transform_input {}", call.function_id));
    }
    fn before_execution(&self, _: &mut CallInfo<'_>) {
        self.note("before_execution");
    }
    fn after_execution(&self, _: &mut CallInfo<'_>) {
        self.note("after_execution");
    }
    fn transform_output(&self, _: &mut CallInfo<'_>, output: &mut Output<'_>) {
        let failed = output.result.as_ref().err().map(ToString::to_string);
        self.note(&format!("transform_output {:?} {failed:?}", output.step));
    }
    fn before_response(&self, _: &mut CallInfo<'_>, response: &mut http::Response<Bytes>) {
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
        let a = cx.step.run("a", async || Ok(json!("executed"))).await?;
        assert_ne!(cx.event.data.0["n"], 13, "unlucky");
        let seen = cx.extensions.get::<&'static str>().copied();
        Ok(json!([a, cx.event.data.0, seen]))
    }
}

fn app(client: Client, log: &Log) -> Endpoint {
    App::new("app", client).function(Watched(Arc::clone(log))).build().unwrap()
}

#[tokio::test]
async fn p190_hooks_come_in_order_each_once_also_on_panic() {
    let log = Log::default();
    let noting = |name| Noting { name, log: Arc::clone(&log) };
    let client = client(dev(), FakeApi::default())
        .with_middleware(noting("one"))
        .with_middleware(noting("two"));
    let endpoint = app(client, &log);

    let hooks = |output: &str, status: u16| -> Vec<String> {
        ["transform_input app-fn", "before_execution", "after_execution", output]
            .into_iter()
            .map(str::to_owned)
            .chain([format!("before_response {status}")])
            .flat_map(|hook| ["one", "two", "function"].map(|name| format!("{name} {hook}")))
            .collect()
    };
    let noted = || std::mem::take(&mut *log.lock().unwrap());
    assert_eq!(call(&endpoint, &body()).await.status, 206);
    assert_eq!(noted(), hooks(r#"transform_output Some("a") None"#, 206));

    let memo = body_with(&[("a", json!({ "data": 1 }))]);
    assert_eq!(call(&endpoint, &memo).await.json(), json!([1, { "n": 1 }, null]));
    assert_eq!(noted(), hooks("transform_output None None", 200));

    let mut unlucky = memo.clone();
    unlucky["event"]["data"]["n"] = json!(13);
    assert_eq!(call(&endpoint, &unlucky).await.status, 500);
    let noted = noted();
    assert_eq!(noted.len(), 15);
    assert!(noted[9].starts_with("one transform_output None Some(\"panicked: "), "{}", noted[9]);

    // A planned step has no output yet.
    let mut planned = body();
    planned["ctx"]["disable_immediate_execution"] = json!(true);
    call(&endpoint, &planned).await;
    assert_eq!(log.lock().unwrap().len(), 12);
}

/// Stores everything the other way round.
struct Reversing;

fn reversed(value: &Value) -> Value {
    json!(value.as_str().unwrap().chars().rev().collect::<String>())
}

impl Middleware for Reversing {
    fn transform_input(&self, call: &mut CallInfo<'_>, input: &mut Input<'_>) {
        assert_eq!(call.run.id, "01M81HWYV2KTK2RAPW4NVTQ3GA");
        assert!(call.body.starts_with(b"{\"ctx\""));
        call.extensions.insert(if call.request.headers.contains_key("x-own") { "own" } else { "" });
        let saved: Vec<(String, Value)> = input
            .steps()
            .map(|(hash, saved)| (hash.to_owned(), serde_json::from_str(saved.get()).unwrap()))
            .collect();
        for (hash, saved) in saved {
            let plain = json!({ "data": reversed(&saved["data"]) });
            input.set_step(&hash, to_raw_value(&plain).unwrap());
        }
        let mut event: Value = serde_json::from_str(input.event().get()).unwrap();
        event["data"]["added"] = json!(true);
        input.set_event(to_raw_value(&event).unwrap());
    }

    fn transform_output(&self, _: &mut CallInfo<'_>, output: &mut Output<'_>) {
        if let (Some("a"), Ok(value)) = (output.step, &mut *output.result) {
            let plain: Value = serde_json::from_str(value.get()).unwrap();
            *value = to_raw_value(&reversed(&plain)).unwrap();
        }
    }

    fn before_response(&self, _: &mut CallInfo<'_>, response: &mut http::Response<Bytes>) {
        response.headers_mut().insert("x-reversed", "yes".parse().unwrap());
    }

    fn before_send(&self, events: &mut Vec<NewEvent>) {
        events.push(NewEvent::named("demo/extra", json!({})));
    }

    fn after_send(&self, sent: &std::result::Result<Vec<String>, SendError>) {
        assert_eq!(sent.as_ref().unwrap().len(), 2);
    }
}

/// P-189: memo, context, outputs and the raw request. The answer is signed as it leaves.
#[tokio::test]
async fn p189_what_passes_can_be_changed() {
    let client = client(cloud(), FakeApi::default()).with_middleware(Reversing);
    let endpoint = app(client, &Log::default());
    let posted = async |body: &Value| -> Answer {
        let mut request = request(http::Method::POST, CALL, body.to_string());
        request.headers_mut().insert("x-own", "1".parse().unwrap());
        send(&endpoint, signed(request, KEY, NOW)).await
    };
    let ran = posted(&body()).await;
    assert_eq!(ran.json()[0]["data"], "detucexe");
    assert_eq!(ran.header("x-reversed"), Some("yes"));
    let expected = inngest::signing::SigningKey::new(KEY).sign(ran.text.as_bytes(), NOW);
    assert_eq!(ran.header("x-inngest-signature"), Some(expected.as_str()));

    let done = posted(&body_with(&[("a", json!({ "data": "detucexe" }))])).await;
    assert_eq!(done.json(), json!(["executed", { "added": true, "n": 1 }, "own"]));
}

#[tokio::test]
async fn p189_events_can_be_changed_before_they_leave() {
    let api = FakeApi::default().answer(200, r#"{"ids":["01A","01B"]}"#);
    let client = client(dev(), api.clone()).with_middleware(Reversing);
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
