//! I3, I9: what the server could not take, or not give back, is refused once, by name, where it can be caught.

use inngest::middleware::{Middleware, Payload, PayloadKind};
use inngest::{AiRequest, Client, Endpoint, Error, Result, Step};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::support::{
    Answer, FakeApi, body, body_with, call, client, dev, done, serving, serving_with,
};

const MIB: usize = 1024 * 1024;

fn nested(levels: usize) -> Value {
    (0..levels).fold(json!(1), |inner, _| Value::Array(vec![inner]))
}

/// A function with one step, `s`, that returns `output`; a failure of the step is the function's result.
fn returning(output: Value) -> Endpoint {
    serving(dev(), move |step, _| {
        let output = output.clone();
        Box::pin(async move {
            let saved = step.run("s", async || Ok(output)).await;
            Ok(json!(saved.map(|_| "saved").map_err(|error| [error.name, error.message])))
        })
    })
}

fn message(answer: &Answer) -> String {
    assert_eq!(answer.ops(), [("StepError".into(), "s".into())]);
    answer.json()[0]["error"]["message"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn i3_a_result_is_as_large_as_the_server_writes_it_and_its_refusal_can_be_caught() {
    let endpoint = returning(json!("<".repeat(MIB)));
    let answer = call(&endpoint, &body()).await;
    assert_eq!(answer.no_retry(), Some("true"));
    assert_eq!(
        message(&answer),
        "the result of step `s` cannot be saved: it has 1048578 bytes of JSON, 6291458 as the server counts them, to \
         which `<`, `>` and `&` have six each; it takes at most 4194295"
    );
    let saved = json!({ "error": answer.json()[0]["error"] });
    let caught = call(&endpoint, &body_with(&[("s", saved)])).await;
    assert_eq!((caught.status.as_u16(), &caught.json()["Err"][0]), (200, &json!("UnsavableData")));
    assert_eq!(call(&returning(json!("<".repeat(690_000))), &body()).await.ops()[0].0, "StepRun");
}

#[tokio::test]
async fn i9_what_nests_too_deeply_fails_the_step_that_returns_it() {
    let answer = call(&returning(nested(121)), &body()).await;
    assert_eq!(
        message(&answer),
        "the result of step `s` cannot be saved: it nests deeper than 120 levels, and might not be read back"
    );
    let deepest = returning(nested(120));
    let saved = call(&deepest, &body()).await.text;
    assert!(saved.contains(r#""op":"StepRun""#), "{saved}");
    let memo = body_with(&[("s", done(nested(120)))]);
    assert_eq!(call(&deepest, &memo).await.json(), json!({ "Ok": "saved" }));
    // The result of a function is that of a step to the one that invokes it.
    let endpoint = serving(dev(), |_, _| Box::pin(async { Ok(nested(121)) }));
    let answer = call(&endpoint, &body()).await;
    assert_eq!((answer.status.as_u16(), answer.no_retry()), (400, Some("true")));
}

#[tokio::test]
async fn i9_a_deep_result_of_another_sdk_is_not_blamed_on_the_code() {
    let memo = body_with(&[("s", done(nested(128)))]);
    let answer = call(&returning(Value::Null), &memo).await;
    assert!(answer.text.contains("it nests deeper than 127 levels"), "{}", answer.text);
}

/// An event at the limit, and the one that tells of its run's failure.
#[tokio::test]
async fn i9_what_can_be_sent_can_be_read() {
    let data = json!({ "a": nested(126) });
    let endpoint =
        serving(dev(), |_, data| Box::pin(async move { Ok(json!(data["a"].is_array())) }));
    let mut call_body = body();
    call_body["event"]["data"] = data.clone();
    assert_eq!(call(&endpoint, &call_body).await.status, 200);
    let failed = json!({
        "name": "inngest/function.failed",
        "data": {
            "function_id": "app-fn", "run_id": "01M8", "error": { "message": "no" },
            "event": { "name": "demo/event.sent", "data": data },
        },
    });
    let function = inngest::Config::id("fn").event("demo/event.sent").run(plain);
    let app = inngest::App::new("app", client(dev(), FakeApi::default()));
    let endpoint = app.function(function.on_failure(told)).build().unwrap();
    call_body["event"] = failed;
    let url = "/api/inngest?fnId=app-fn-failure&stepId=step";
    let answer = crate::support::post(&endpoint, url, call_body.to_string()).await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, "null"));
}

async fn plain(_: inngest::Event<crate::support::Any>, _: Step<'_>) -> Result<()> {
    Ok(())
}

async fn told(failure: inngest::Failure<crate::support::Any>, _: Step<'_>) -> Result<()> {
    failure.event.map(drop).map_err(Error::from)
}

#[tokio::test]
async fn i3_the_text_of_an_error_is_cut_and_says_so() {
    let failing = |in_step: bool| {
        serving(dev(), move |step, _| {
            Box::pin(async move {
                let error = || Error::from("<".repeat(5 * MIB)).named("Refused").no_retry();
                if !in_step {
                    return Err(error());
                }
                Ok(step.run("s", async || Err::<Value, _>(error())).await?)
            })
        })
    };
    let of_step = call(&failing(true), &body()).await;
    let of_function = call(&failing(false), &body()).await;
    for (answer, error) in
        [(&of_step, of_step.json()[0]["error"].take()), (&of_function, of_function.json())]
    {
        assert_eq!((&error["name"], answer.no_retry()), (&json!("Refused"), Some("true")));
        let text = error["message"].as_str().unwrap();
        assert!(text.ends_with("<< [cut here; it had 5242880 bytes]"), "{}", text.len());
        assert!(answer.text.len() < 70_000, "{}", answer.text.len());
    }
}

#[tokio::test]
async fn i3_the_data_of_an_error_is_left_out_where_it_is_too_large() {
    let endpoint = serving(dev(), |step, _| {
        Box::pin(async move {
            let page = || Error::from("no").with_data("&".repeat(MIB));
            Ok(step.run("s", async || Err::<Value, _>(page())).await?)
        })
    });
    let answer = call(&endpoint, &body()).await;
    assert_eq!(answer.no_retry(), Some("false"), "the error decides about that, not its data");
    assert_eq!(
        message(&answer),
        "no [its data was left out: it has 1048578 bytes of JSON, 6291458 as the server counts them, to which `<`, `>` and \
         `&` have six each; it takes at most 3145728]"
    );
    assert!(answer.json()[0]["error"].get("data").is_none());
}

async fn large_requests(step: Step<'_>, bytes: usize) -> Result<Value> {
    let data = json!({ "text": "x".repeat(bytes) });
    let ask = || AiRequest::new("https://models.example/v1", "openai-chat", &data);
    let failures = [
        step.invoke_id::<Value>("invoke", "other-fn", &data).await.map(drop),
        step.infer::<Value>("infer", ask()).await.map(drop),
        step.fetch("fetch", "https://shop.example").json(&data).await.map(drop),
        step.send_signal("signal", "s", &data).await.map(drop),
    ];
    let failed = failures.into_iter().filter_map(Result::err);
    Ok(json!(failed.map(|error| (error.step_id, error.name, error.message)).collect::<Vec<_>>()))
}

#[tokio::test]
async fn i3_a_request_that_cannot_be_sent_fails_its_step_and_nothing_else() {
    let endpoint = serving(dev(), |step, _| Box::pin(large_requests(step, 4 * MIB)));
    let signal = call(&endpoint, &body()).await;
    assert_eq!(signal.ops(), [("StepError".into(), "signal".into())]);
    assert_eq!(signal.no_retry(), Some("true"));
    let memo = body_with(&[("signal", json!({ "error": signal.json()[0]["error"] }))]);
    let caught = call(&endpoint, &memo).await.json();
    let says = |step: &str, what: &str, bytes: usize| {
        let text = format!(
            "the {what} of step `{step}` cannot be sent: it has {bytes} bytes of JSON; the server takes at most 4194304"
        );
        json!([step, "UnsavableData", text])
    };
    let as_text = 4 * MIB + 17;
    assert_eq!(
        caught,
        json!([
            says("invoke", "data", 4 * MIB + 11),
            says("infer", "body", 4 * MIB + 11),
            says("fetch", "body", as_text),
            says("signal", "data", 4 * MIB + 11),
        ])
    );
    let small = serving(dev(), |step, _| Box::pin(large_requests(step, 10)));
    assert_eq!(call(&small, &body()).await.ops(), [("InvokeFunction".into(), "invoke".into())]);
    // What is saved is not written again.
    let memo = body_with(&[
        ("invoke", done(1)),
        ("infer", done(1)),
        ("fetch", done(json!({ "status_code": 200 }))),
        ("signal", done(Value::Null)),
    ]);
    assert_eq!(call(&endpoint, &memo).await.json(), json!([]));
}

#[tokio::test]
async fn i3_a_reply_that_is_too_large_reports_what_fits_and_the_rest_afterwards() {
    let endpoint = serving(dev(), |step, _| {
        Box::pin(async move {
            let of = |bytes: usize| json!({ "text": "x".repeat(bytes) });
            let invoke =
                |id: &'static str, bytes| step.invoke_id::<Value>(id, "other-fn", &of(bytes));
            let (a, b, c, d, ()) = tokio::join!(
                invoke("a", 4 * MIB - 100),
                invoke("b", 3 * MIB),
                invoke("c", 3 * MIB),
                invoke("d", 10),
                step.sleep("nap", std::time::Duration::from_secs(60)),
            );
            Ok(json!([a?, b?, c?, d?]))
        })
    });
    let first = call(&endpoint, &body()).await;
    let ops: Vec<_> = first.ops().into_iter().map(|(_, id)| id).collect();
    assert_eq!(ops, ["b", "c", "d", "nap"], "the largest waits");
    assert!(first.text.len() <= 8 * MIB);
    let done_so_far = [("b", done(1)), ("c", done(2)), ("d", done(3)), ("nap", Value::Null)];
    let second = call(&endpoint, &body_with(&done_so_far)).await;
    assert_eq!(second.ops(), [("InvokeFunction".into(), "a".into())]);
    let all = [done_so_far.as_slice(), &[("a", done(0))]].concat();
    assert_eq!(call(&endpoint, &body_with(&all)).await.json(), json!([0, 1, 2, 3]));
}

#[tokio::test]
async fn i3_what_fits_into_no_reply_fails_its_step() {
    let endpoint = serving(dev(), |step, _| {
        Box::pin(async move {
            let url = format!("https://shop.example/{}", "x".repeat(9 * MIB));
            let (one, other) = tokio::join!(step.fetch("s", url), step.run("r", async || Ok(1)));
            Ok(json!([one.map_err(|error| error.name).err(), other?]))
        })
    });
    let answer = call(&endpoint, &body()).await;
    let text = message(&answer);
    assert!(text.starts_with("what step `s` asks for cannot be sent: it has 9437"), "{text}");
    assert!(text.ends_with("bytes of JSON; the server takes at most 8388606"), "{text}");
    assert_eq!(answer.no_retry(), Some("true"));
    let failed = ("s", json!({ "error": answer.json()[0]["error"] }));
    let next = call(&endpoint, &body_with(std::slice::from_ref(&failed))).await;
    assert_eq!(next.ops(), [("StepRun".into(), "r".into())]);
    let last = call(&endpoint, &body_with(&[failed, ("r", done(1))])).await;
    assert_eq!(last.json(), json!(["UnsavableData", 1]));
}

/// Makes everything that leaves larger, as encryption would.
struct Doubling;

impl Middleware for Doubling {
    fn outgoing(&self, payload: &mut Payload<'_>) -> Result<()> {
        if matches!(payload.kind, PayloadKind::Step { .. } | PayloadKind::Event { .. }) {
            let twice = format!(r#"{{"twice":[{0},{0}]}}"#, payload.json().get());
            payload.replace(RawValue::from_string(twice)?);
        }
        Ok(())
    }
}

fn doubling(api: FakeApi) -> Client {
    client(dev(), api).with_middleware(Doubling)
}

#[tokio::test]
async fn i3_sizes_are_those_that_middleware_has_left() {
    let endpoint = serving_with(doubling(FakeApi::default()), |step, _| {
        Box::pin(
            async move { Ok(json!(step.run("s", async || Ok("x".repeat(3 * MIB))).await?.len())) },
        )
    });
    let text = message(&call(&endpoint, &body()).await);
    assert!(text.contains("6291473 bytes of JSON; the server takes at most 4194295"), "{text}");

    let api = FakeApi::default();
    let large = inngest::NewEvent::named("demo/sent", json!({ "text": "x".repeat(2 * MIB) }));
    let sent = doubling(api.clone()).send(&[large]).await.unwrap_err().to_string();
    assert!(sent.contains("cannot be sent: it has 4194"), "{sent}");
    assert!(api.requests().is_empty());
}
