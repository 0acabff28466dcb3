//! P-117, P-191: the answers of calls that take long begin before they are known.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use inngest::middleware::{CallInfo, Middleware, StepInfo};
use inngest::signing::SigningKey;
use inngest::{Endpoint, Error, Result, ResultExt as _, Settings};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::support::{CALL, FakeApi, KEY, NOW, body, client, cloud, dev, serving_with, signed};

/// Answers after as many seconds as the event says, with what it says.
fn slow(mut settings: Settings) -> Endpoint {
    settings.streaming = Some(Duration::from_secs(3));
    serving_with(client(settings, FakeApi::default()), |step, data| {
        Box::pin(async move {
            let time = Duration::from_secs(data["seconds"].as_u64().unwrap());
            match data["do"].as_str().unwrap() {
                "run" => {
                    let code = async || {
                        sleep(time).await;
                        Ok(data["result"].clone())
                    };
                    Ok(step.run("a", code).await?)
                }
                "return" => {
                    sleep(time).await;
                    Ok(data["result"].clone())
                }
                "fail" => {
                    sleep(time).await;
                    Err(Error::from("later").retry_after(Duration::from_secs(90)))
                }
                _ => {
                    sleep(time).await;
                    Result::<Value>::Err("no".into()).no_retry()
                }
            }
        })
    })
}

fn request(what: &str, seconds: u64, result: &Value) -> Request<bytes::Bytes> {
    let mut body = body();
    body["event"]["data"] = json!({ "do": what, "seconds": seconds, "result": result });
    crate::support::request(http::Method::POST, CALL, body.to_string())
}

async fn serve(endpoint: &Endpoint, request: Request<bytes::Bytes>) -> Response<Body> {
    endpoint.serve(request.map(Body::from)).await
}

/// The pieces in which the body comes, without the last, and the last.
async fn pieces(response: Response<Body>) -> (Vec<String>, Value) {
    let mut body = response.into_body();
    let mut pieces = Vec::new();
    while let Some(frame) = body.frame().await {
        let data = frame.unwrap().into_data().unwrap();
        pieces.push(String::from_utf8(data.to_vec()).unwrap());
    }
    let last = pieces.pop().unwrap();
    (pieces, serde_json::from_str(&last).unwrap())
}

#[tokio::test(start_paused = true)]
async fn p191_a_call_that_takes_long_is_answered_in_white_space_and_an_envelope() {
    let response = serve(&slow(dev()), request("run", 10, &json!({ "a": 1 }))).await;
    assert_eq!(response.status(), 201);
    assert_eq!(response.headers()["x-inngest-sdk"], "inngest-rs:v0.1.0");
    assert_eq!(response.headers()["content-type"], "application/json");
    let (before, envelope) = pieces(response).await;
    assert_eq!(before, [" ", " "], "after 6 and 9 seconds; the head came after 3");
    assert_eq!(envelope["status"], 206);
    assert_eq!(envelope["headers"]["x-inngest-req-version"], "2");
    assert_eq!(envelope["body"][0]["op"], "StepRun");
    assert_eq!(envelope["body"][0]["data"], json!({ "a": 1 }));
}

#[tokio::test(start_paused = true)]
async fn p191_short_calls_are_answered_as_ever() {
    let response = serve(&slow(dev()), request("run", 2, &json!(1))).await;
    assert_eq!(response.status(), 206);

    let endpoint = serving_with(client(dev(), FakeApi::default()), |_, _| {
        Box::pin(async move {
            sleep(Duration::from_secs(60)).await;
            Ok(json!(1))
        })
    });
    let response = serve(&endpoint, request("run", 60, &json!(1))).await;
    assert_eq!(response.status(), 200, "streaming is off by default");
}

/// The server takes a text in place of the body for the text of the body.
#[tokio::test(start_paused = true)]
async fn p191_a_result_that_is_a_text_is_written_twice() {
    for (result, body) in [
        (json!("5"), json!("\"5\"")),
        (json!("a \"b\""), json!("\"a \\\"b\\\"\"")),
        (json!(null), json!(null)),
        (json!([1]), json!([1])),
    ] {
        let (_, envelope) = pieces(serve(&slow(dev()), request("return", 10, &result)).await).await;
        assert_eq!((&envelope["status"], &envelope["body"]), (&json!(200), &body));
        assert!(envelope["headers"].get("x-inngest-no-retry").is_none(), "P-006");
    }
}

#[tokio::test(start_paused = true)]
async fn p191_what_is_said_of_retries_is_in_the_envelope() {
    let of = async |what| pieces(serve(&slow(dev()), request(what, 10, &json!(1))).await).await.1;
    let later = of("fail").await;
    let header = |envelope: &Value, name| envelope["headers"][name].clone();
    assert_eq!((&later["status"], header(&later, "retry-after")), (&json!(500), json!("90")));
    assert_eq!(header(&later, "x-inngest-no-retry"), "false");
    assert_eq!(later["body"]["message"], "later");
    let never = of("fail for good").await;
    let status = never["status"].clone();
    assert_eq!((status, header(&never, "x-inngest-no-retry")), (json!(400), json!("true")));
}

/// Written twice, it is larger than what the server reads.
#[tokio::test(start_paused = true)]
async fn p191_what_becomes_too_large_is_a_final_error() {
    let result = json!("\"".repeat(3_000_000));
    let (_, envelope) = pieces(serve(&slow(dev()), request("return", 10, &result)).await).await;
    assert_eq!(envelope["status"], 400);
    assert_eq!(envelope["headers"]["x-inngest-no-retry"], "true");
    let message = envelope["body"]["message"].as_str().unwrap();
    assert!(message.starts_with("the answer has 12000"), "{message}");
}

#[tokio::test(start_paused = true)]
async fn p191_nothing_is_streamed_to_those_who_do_not_sign() {
    let endpoint = slow(cloud());
    let unsigned = serve(&endpoint, request("run", 10, &json!(1))).await;
    assert_eq!(unsigned.status(), 401);
    let response = serve(&endpoint, signed(request("run", 10, &json!(1)), KEY, NOW)).await;
    assert_eq!(response.status(), 201);
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    let envelope: Envelope<'_> = serde_json::from_slice(&bytes).unwrap();
    let signature = SigningKey::new(KEY).sign(envelope.body.get().as_bytes(), NOW);
    assert_eq!(envelope.headers["x-inngest-signature"], signature, "P-060");
}

#[derive(serde::Deserialize)]
struct Envelope<'a> {
    headers: Value,
    #[serde(borrow)]
    body: &'a RawValue,
}

/// As without streaming: the server has hung up, and calls again.
#[tokio::test(start_paused = true)]
async fn p191_a_stream_that_is_dropped_takes_its_step_with_it() {
    struct Noting(Arc<Mutex<Vec<String>>>);
    impl Middleware for Noting {
        fn on_step_error(&self, _: &CallInfo<'_>, _: &StepInfo<'_>, error: &Error, _: Duration) {
            self.0.lock().unwrap().push(error.to_string());
        }
    }
    let noted = Arc::default();
    let mut settings = dev();
    settings.streaming = Some(Duration::from_secs(3));
    let client = client(settings, FakeApi::default()).with_middleware(Noting(Arc::clone(&noted)));
    let endpoint = serving_with(client, |step, _| {
        Box::pin(async move { Ok(step.run("a", async || std::future::pending().await).await?) })
    });
    let mut body = serve(&endpoint, request("run", 0, &json!(1))).await.into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), " ");
    assert!(noted.lock().unwrap().is_empty());
    drop(body);
    let cut_off = "the call was cut off while the code of step `a` ran";
    assert_eq!(*noted.lock().unwrap(), [cut_off]);
}
