//! P-189: everything that leaves passes middleware, of the client and of the function, and comes back through it.

use std::sync::{Arc, Mutex};

use inngest::middleware::{Middleware, Payload, PayloadKind};
use inngest::{
    AiRequest, App, Checkpointing, Config, Context, Endpoint, Error, EventData, FailureContext,
    Function, NewEvent, OnFailure, Result, ResultExt as _, Retry,
};
use serde_json::value::to_raw_value;
use serde_json::{Value, json};

use crate::support::{Answer, Any, FakeApi, body, body_with, call, client, dev, post};

/// Wraps what leaves into `{"<name>": ..}`, and takes it out of that again.
#[derive(Clone)]
struct Seal(&'static str);

impl Middleware for Seal {
    fn outgoing(&self, payload: &mut Payload<'_>) -> Result<()> {
        payload.replace(to_raw_value(&json!({ self.0: payload.json() }))?);
        Ok(())
    }

    fn incoming(&self, payload: &mut Payload<'_>) -> Result<()> {
        let mut sealed: Value = serde_json::from_str(payload.json().get())?;
        let Some(inner) = sealed.get_mut(self.0) else {
            // What people and other programs send is not sealed.
            return Ok(());
        };
        payload.replace(to_raw_value(&inner.take())?);
        Ok(())
    }
}

/// Refuses one kind of payload.
#[derive(Clone)]
pub(super) struct Refuse(pub(super) fn(&PayloadKind<'_>) -> bool, pub(super) Retry);

impl Refuse {
    fn look(&self, payload: &Payload<'_>) -> Result<()> {
        match (self.0(&payload.kind), self.1) {
            (false, _) => Ok(()),
            (true, Retry::Never) => Err("no key").no_retry(),
            (true, _) => Err("no key".into()),
        }
    }
}

impl Middleware for Refuse {
    fn outgoing(&self, payload: &mut Payload<'_>) -> Result<()> {
        self.look(payload)
    }

    fn incoming(&self, payload: &mut Payload<'_>) -> Result<()> {
        self.look(payload)
    }
}

#[derive(serde::Deserialize)]
struct Paid {
    secret: u8,
}

impl EventData for Paid {
    const NAME: &'static str = "shop/paid";
}

/// Does what its event says, with the secret in it.
pub(super) struct Does {
    pub(super) middleware: Vec<Arc<dyn Middleware>>,
    /// What the steps gave to the function.
    pub(super) seen: Arc<Mutex<Vec<Value>>>,
}

impl Function for Does {
    type Event = Any;
    type Output = Value;
    type OnFailure = Self;

    fn config() -> Config {
        Config::id("fn")
    }

    fn middleware(&self) -> Vec<Arc<dyn Middleware>> {
        self.middleware.clone()
    }

    async fn run(&self, cx: Context<'_, Self>) -> Result<Value> {
        let (step, data) = (cx.step, &cx.event.data.0);
        let secret = json!({ "secret": data["secret"] });
        let result = match data["do"].as_str().unwrap_or_default() {
            "run" => step.run("s", async || Ok(secret.clone())).await,
            "fail" => {
                let code = async || Err(Error::from("no").no_retry().with_data(secret.clone()));
                let error = step.run::<Value, _>("s", code).await.unwrap_err();
                Ok(error.data.unwrap_or_default())
            }
            "invoke" => step.invoke_id("s", "other-fn", &secret).await,
            "fetch" => {
                let fetched = step.fetch("s", "https://shop.example/").json(&secret).await;
                fetched.map(|answer| json!(answer.body))
            }
            "infer" => {
                step.infer("s", AiRequest::new("https://ai.example/", "openai-chat", &secret)).await
            }
            "send" => {
                let event = NewEvent::named("shop/sent", secret);
                step.send_event("s", vec![event]).await.map(|ids| json!(ids))
            }
            "signal" => step.send_signal("s", "paid", &secret).await.map(|run| json!(run)),
            "wait" => {
                let event = step.wait_for_event::<Paid>("s").await;
                event.map(|event| json!(event.map(|event| event.data.secret)))
            }
            "wait for signal" => {
                step.wait_for_signal::<Value>("s", "paid").await.map(|data| json!(data))
            }
            "fail at the end" => return Err(Error::from("no").no_retry().with_data(secret)),
            _ => return Ok(secret),
        };
        let result = result?;
        self.seen.lock().unwrap().push(result.clone());
        Ok(result)
    }
}

impl OnFailure for Does {
    async fn on_failure(&self, cx: FailureContext<'_, Self>) -> Result<()> {
        let event = cx.failure.event.map(|event| event.data.0["secret"].clone());
        self.seen.lock().unwrap().push(json!([event, cx.failure.error.data]));
        Ok(())
    }
}

pub(super) struct World {
    pub(super) endpoint: Endpoint,
    pub(super) api: FakeApi,
    pub(super) seen: Arc<Mutex<Vec<Value>>>,
}

/// The client has `client`'s middleware, the function its own.
fn world(of_client: Vec<Seal>, of_function: Vec<Seal>, api: FakeApi) -> World {
    let client = client(dev(), api.clone());
    let client = of_client.into_iter().fold(client, inngest::Client::with_middleware);
    let seen = Arc::default();
    let middleware = of_function.into_iter().map(|seal| Arc::new(seal) as Arc<dyn Middleware>);
    let does = Does { middleware: middleware.collect(), seen: Arc::clone(&seen) };
    let config = Does::config().checkpointing(Checkpointing::new());
    let endpoint = App::new("app", client).function(config.function(does)).build().unwrap();
    World { endpoint, api, seen }
}

fn sealed(api: FakeApi) -> World {
    world(vec![Seal("outer"), Seal("client")], vec![Seal("function")], api)
}

/// A function whose middleware refuses what `refuses` says.
pub(super) fn refusing(refuses: Refuse, api: FakeApi) -> World {
    let client = client(dev(), api.clone()).with_middleware(refuses);
    let seen = Arc::default();
    let does = Does { middleware: Vec::new(), seen: Arc::clone(&seen) };
    World { endpoint: App::new("app", client).function(does).build().unwrap(), api, seen }
}

/// As it leaves, and comes back: what is given first is the outermost.
fn seal(value: impl Into<Value>) -> Value {
    json!({ "outer": { "client": { "function": value.into() } } })
}

/// A call of the function that does `what`, with its result where the step is done. The event is sealed as it would be.
async fn calls(world: &World, what: &str, saved: Option<Value>) -> Answer {
    let mut body = saved.map_or_else(body, |saved| body_with(&[("s", saved)]));
    body["event"]["data"] = seal(json!({ "do": what, "secret": 5 }));
    call(&world.endpoint, &body).await
}

pub(super) fn secret() -> Value {
    json!({ "secret": 5 })
}

#[tokio::test]
async fn p189_what_a_step_comes_to_is_sealed_and_opened() {
    let world = sealed(FakeApi::default());
    let ran = calls(&world, "run", None).await.json();
    assert_eq!((&ran[0]["op"], &ran[0]["data"]), (&json!("StepRun"), &seal(secret())));
    let failed = calls(&world, "fail", None).await.json();
    assert_eq!(failed[0]["error"]["data"], seal(secret()));

    let saved = json!({ "data": seal(secret()) });
    assert_eq!(calls(&world, "run", Some(saved.clone())).await.json(), seal(secret()));
    let error = json!({ "error": { "message": "no", "data": seal(secret()) } });
    assert_eq!(calls(&world, "fail", Some(error)).await.json(), seal(secret()));
    for from_elsewhere in ["invoke", "infer"] {
        let answer = calls(&world, from_elsewhere, Some(saved.clone())).await;
        assert_eq!(answer.json(), seal(secret()), "{from_elsewhere}");
    }
    // What was saved before there was middleware.
    let plain = calls(&world, "run", Some(json!({ "data": secret() }))).await;
    assert_eq!(plain.json(), seal(secret()));
    assert_eq!(*world.seen.lock().unwrap(), vec![secret(); 5]);
}

#[tokio::test]
async fn p189_what_the_function_comes_to_is_sealed() {
    let world = sealed(FakeApi::default());
    assert_eq!(calls(&world, "return", None).await.json(), seal(secret()));
    let failed = calls(&world, "fail at the end", None).await;
    assert_eq!((failed.status.as_u16(), &failed.json()["data"]), (400, &seal(secret())));
    let error = json!({ "error": { "message": "no", "data": seal(secret()) } });
    let uncaught = calls(&world, "run", Some(error)).await;
    assert_eq!(uncaught.json()["data"], seal(secret()), "opened, and sealed again");
}

#[tokio::test]
async fn p189_what_the_server_is_asked_for_is_sealed() {
    let world = sealed(FakeApi::default());
    let opts = async |what| calls(&world, what, None).await.json()[0]["opts"].clone();
    assert_eq!(opts("invoke").await["payload"], json!({ "data": seal(secret()) }));
    assert_eq!(opts("infer").await["body"], seal(secret()));
    let body = opts("fetch").await["body"].clone();
    assert_eq!(serde_json::from_str::<Value>(body.as_str().unwrap()).unwrap(), seal(secret()));
}

#[tokio::test]
async fn p189_what_steps_send_is_sealed_by_client_and_function() {
    let api = FakeApi::default()
        .answer(200, r#"{"ids":["01A"]}"#)
        .answer(200, r#"{"data":{"run_id":"01RUN"}}"#);
    let world = sealed(api);
    let sent = calls(&world, "send", None).await.json();
    assert_eq!(sent[0]["data"], seal(json!({ "ids": ["01A"] })));
    let signalled = calls(&world, "signal", None).await.json();
    assert_eq!(signalled[0]["data"], seal("01RUN"));
    let bodies: Vec<Value> =
        world.api.requests().iter().map(|r| serde_json::from_slice(r.body()).unwrap()).collect();
    assert_eq!(bodies[0], json!([{ "name": "shop/sent", "data": seal(secret()) }]));
    assert_eq!(bodies[1], json!({ "signal": "paid", "data": seal(secret()) }));
}

#[tokio::test]
async fn p189_what_a_client_sends_by_itself_is_sealed() {
    let api = FakeApi::default().answer(200, r#"{"ids":["01A"]}"#).answer(200, r#"{"data":null}"#);
    let client = client(dev(), api.clone()).with_middleware(Seal("client"));
    client.send(&[NewEvent::named("shop/sent", secret())]).await.unwrap();
    let _ = client.send_signal("paid", &secret()).await;
    let bodies: Vec<Value> =
        api.requests().iter().map(|r| serde_json::from_slice(r.body()).unwrap()).collect();
    assert_eq!(bodies[0][0]["data"], json!({ "client": secret() }));
    assert_eq!(bodies[1]["data"], json!({ "client": secret() }));
}

#[tokio::test]
async fn p189_what_others_send_is_opened() {
    let world = sealed(FakeApi::default());
    let event = json!({ "name": "shop/paid", "data": seal(secret()), "ts": 7 });
    assert_eq!(calls(&world, "wait", Some(event)).await.json(), seal(5));
    let signal = json!({ "data": { "signal": "paid", "data": seal(secret()) } });
    assert_eq!(calls(&world, "wait for signal", Some(signal)).await.json(), seal(secret()));

    // The data of an invocation, to which the server has added its own.
    let mut invoked = body();
    invoked["event"] = json!({ "name": "inngest/function.invoked", "data": seal(secret()) });
    invoked["event"]["data"]["_inngest"] = json!({ "correlation_id": "x" });
    assert_eq!(call(&world.endpoint, &invoked).await.json(), seal(secret()));

    // The event of a failed run, within the event that tells of it.
    let mut failed = body();
    let order = json!({ "name": "demo/event.sent", "data": seal(secret()) });
    failed["event"] = json!({ "name": "inngest/function.failed", "data": {
        "function_id": "app-fn", "run_id": "01R", "error": { "message": "no" }, "event": order,
        "result": { "message": "no", "data": seal(secret()) },
    }});
    let uri = "/api/inngest?fnId=app-fn-failure&stepId=step";
    assert_eq!(post(&world.endpoint, uri, failed.to_string()).await.status, 200);
    assert_eq!(world.seen.lock().unwrap().last(), Some(&json!([{ "Ok": 5 }, secret()])));

    // A handler of failures runs in any case.
    let nested = |kind: &PayloadKind<'_>| {
        !matches!(
            kind,
            PayloadKind::Event { name: "inngest/function.failed" } | PayloadKind::Output
        )
    };
    let world = refusing(Refuse(nested, Retry::Never), FakeApi::default());
    assert_eq!(post(&world.endpoint, uri, failed.to_string()).await.status, 200);
    let reason = "the data of event `demo/event.sent` cannot be read: no key";
    assert_eq!(*world.seen.lock().unwrap(), [json!([{ "Err": reason }, null])]);
}

/// The function sees in the call that ran a step what it sees in every later one.
#[tokio::test]
async fn p189_p194_checkpoints_are_sealed_and_the_function_sees_what_it_would_read() {
    let world = sealed(FakeApi::default().answer(200, ""));
    let mut body = body();
    body["event"]["data"] = json!({ "do": "run", "secret": 1.0 });
    body["ctx"]["fn_id"] = json!("76b3a25a-5227-566a-bde6-241cec043a9a");
    body["ctx"]["qi_id"] = json!("aDlnaTVzN2c4eGY0OjpkZWZhdWx0");
    let answer = call(&world.endpoint, &body).await;
    assert_eq!((answer.status.as_u16(), answer.json()), (200, seal(json!({ "secret": 1 }))));
    let saved: Value = serde_json::from_slice(world.api.requests()[0].body()).unwrap();
    assert_eq!(saved["steps"][0]["data"], seal(json!({ "secret": 1.0 })));
    assert_eq!(*world.seen.lock().unwrap(), [json!({ "secret": 1 })]);
}
