//! I4: more events than one request can bring.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use inngest::{NewEvent, SendError, StepError};
use serde_json::{Value, json};

use crate::support::{Answer, FakeApi, body, call, client, cloud, dev, done, serving_with};
use crate::support::{body_with, hash};

fn events(count: usize) -> Vec<NewEvent> {
    (0..count).map(|n| NewEvent::named("demo/sent", json!({ "n": n }))).collect()
}

fn ids(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|n| format!("01M8{n:022}")).collect()
}

fn accepted(range: std::ops::Range<usize>) -> String {
    json!({ "ids": ids(range), "status": 200 }).to_string()
}

/// What each request brought: the numbers of its events, and how far its seed is from that of the first.
fn brought(api: &FakeApi) -> Vec<(std::ops::Range<usize>, u32)> {
    let requests = api.requests().into_iter().map(|request| {
        let events: Vec<Value> = serde_json::from_slice(request.body()).unwrap();
        let n = |event: &Value| usize::try_from(event["data"]["n"].as_u64().unwrap()).unwrap();
        let seed = request.headers()["x-inngest-event-id-seed"].to_str().unwrap().to_owned();
        let entropy = BASE64_STANDARD.decode(seed.split_once(',').unwrap().1).unwrap();
        let count = u32::from_be_bytes(entropy[6..].try_into().unwrap());
        (n(&events[0])..n(&events[events.len() - 1]) + 1, count)
    });
    let requests: Vec<_> = requests.collect();
    let first = requests[0].1;
    requests.into_iter().map(|(events, count)| (events, count.wrapping_sub(first))).collect()
}

fn three_answers() -> FakeApi {
    FakeApi::default()
        .answer(200, accepted(0..5_000))
        .answer(200, accepted(5_000..10_000))
        .answer(200, accepted(10_000..12_000))
}

/// The server makes an event's id of the seed and its place in the request, so the seed of each has to count on.
#[tokio::test]
async fn twelve_thousand_events_go_in_three_requests_and_no_two_get_one_id() {
    let api = three_answers();
    let sent = client(cloud(), api.clone()).send(&events(12_000)).await;
    assert_eq!(sent.unwrap(), ids(0..12_000));
    let expected = [(0..5_000, 0), (5_000..10_000, 5_000), (10_000..12_000, 10_000)];
    assert_eq!(brought(&api), expected);
}

#[tokio::test]
async fn a_step_sends_twelve_thousand_and_a_repeated_attempt_sends_the_same() {
    let api = three_answers().answer(503, "").answer(200, accepted(0..5_000));
    let api = api.answer(400, r#"{"ids":[""],"status":400,"error":"event name is empty"}"#);
    let endpoint = serving_with(client(dev(), api.clone()), |step, _| {
        Box::pin(async move { Ok(json!(step.send_event("tell", events(12_000)).await?.len())) })
    });
    let first = call(&endpoint, &body()).await;
    assert_eq!(first.json()[0]["data"], json!({ "ids": ids(0..12_000) }));
    let again = call(&endpoint, &body()).await;
    assert_eq!(again.ops(), [("StepError".into(), "tell".into())]);
    let brought = brought(&api);
    assert_eq!(brought[3..], [(0..5_000, 0), (0..5_000, 0), (5_000..10_000, 5_000)]);
    let memo = body_with(&[("tell", done(json!({ "ids": ids(0..12_000) })))]);
    assert_eq!(call(&endpoint, &memo).await.json(), json!(12_000));
}

#[tokio::test(start_paused = true)]
async fn an_error_tells_which_events_were_accepted() {
    let key_is_gone = r#"{"status":401,"message":"","error":"Event key not found"}"#;
    let name_is_empty =
        json!({ "ids": ids(5_000..5_003), "status": 400, "error": "event name is empty" });
    let second = |status, body: &str| {
        FakeApi::default().answer(200, accepted(0..5_000)).answer(status, body.to_owned())
    };
    for (api, before, text) in [
        (
            second(400, &name_is_empty.to_string()),
            5_003,
            "Inngest refuses the event at position 5003 (HTTP 400): event name is empty",
        ),
        (
            second(404, "<html></html>"),
            5_000,
            "the first 5000 events were accepted; the next ones could not be sent to Inngest: HTTP 404 Not Found",
        ),
        (
            second(401, key_is_gone),
            5_000,
            "Inngest refuses the event key (HTTP 401): Event key not found; check INNGEST_EVENT_KEY",
        ),
    ] {
        let error = client(cloud(), api.clone()).send(&events(12_000)).await.unwrap_err();
        assert_eq!(error.accepted(), ids(0..before), "{error}");
        assert!(error.to_string().starts_with(text), "{error}");
        assert_eq!(api.requests().len(), 2, "nothing is sent after what failed");
    }
    // 200, and fewer ids than events: these were accepted, and of the others it is not known.
    let api = (0..5).fold(FakeApi::default(), |api, _| api.answer(200, accepted(0..1)));
    let error = client(cloud(), api).send(&events(2)).await.unwrap_err();
    assert_eq!(error.accepted(), ids(0..1));
    assert!(matches!(error, SendError::Unavailable { .. }), "{error:?}");
}

#[tokio::test]
async fn an_event_that_cannot_be_sent_keeps_back_all() {
    let api = FakeApi::default();
    let mut all = events(12_000);
    all[11_000] = NewEvent::named("demo/sent", json!({ "id": u64::MAX }));
    let error = client(cloud(), api.clone()).send(&all).await.unwrap_err();
    insta::assert_snapshot!(error, @"the event `demo/sent` at position 11000 cannot be sent: the integer 18446744073709551615 is beyond 2^53 and would come back altered; write it as a string");
    assert_eq!(error.accepted(), [""; 0]);
    for data in [json!([1]), json!("text"), json!({ "text": "x".repeat(3 * 1024 * 1024) })] {
        let refused = client(cloud(), api.clone()).send(&[NewEvent::named("x", data)]).await;
        assert!(matches!(refused, Err(SendError::Unsendable { position: 0, .. })), "{refused:?}");
    }
    assert!(api.requests().is_empty());
}

#[tokio::test]
async fn a_step_with_such_an_event_fails_for_good_and_can_be_caught() {
    let api = FakeApi::default();
    let endpoint = serving_with(client(dev(), api.clone()), |step, _| {
        Box::pin(async move {
            let mut all = events(2);
            all[1] = NewEvent::named("demo/sent", json!([1]));
            let failed = step.send_event("tell", all).await;
            Ok(json!(failed.map_err(|error| error.message)))
        })
    });
    let answer = call(&endpoint, &body()).await;
    assert_final(
        &answer,
        "the event `demo/sent` at position 1 cannot be sent: its data is no JSON object",
    );
    let caught = body_with(&[("tell", json!({ "error": answer.json()[0]["error"] }))]);
    let caught = call(&endpoint, &caught).await.json();
    assert_eq!(caught["Err"], answer.json()[0]["error"]["message"]);
    assert!(api.requests().is_empty());
}

#[tokio::test]
async fn a_step_sends_no_more_events_than_it_can_save_the_ids_of() {
    let api = FakeApi::default();
    let endpoint = serving_with(client(dev(), api.clone()), |step, _| {
        Box::pin(async move {
            let sent: Result<_, StepError> = step.send_event("tell", events(100_001)).await;
            Ok(json!(sent?.len()))
        })
    });
    let answer = call(&endpoint, &body()).await;
    assert_final(
        &answer,
        "step `tell` sends 100001 events; the ids of at most 100000 can be saved: send them in several steps",
    );
    assert!(api.requests().is_empty());
    assert_eq!(answer.json()[0]["id"], hash("tell"));
}

fn assert_final(answer: &Answer, message: &str) {
    assert_eq!(answer.ops(), [("StepError".into(), "tell".into())]);
    assert_eq!(answer.no_retry(), Some("true"));
    assert_eq!(answer.json()[0]["error"]["message"], message);
}

#[tokio::test]
async fn data_that_says_nothing_is_an_empty_object() {
    let api = FakeApi::default().answer(200, r#"{"ids":["01A"]}"#);
    let event = NewEvent::named("demo/ping", Value::Null);
    client(cloud(), api.clone()).send(&[event]).await.unwrap();
    assert_eq!(api.requests()[0].body(), r#"[{"name":"demo/ping","data":{}}]"#);
}
