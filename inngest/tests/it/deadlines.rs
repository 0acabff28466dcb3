//! How long Inngest may take, and the pauses that it asks for.

use std::time::Duration;

use http::Method;
use inngest::{Checkpointing, Client, Config, NewEvent, SendError, SignalError};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::{
    FakeApi, KEY, NOW, body, call, client, cloud, dev, request, send, serving_with,
};
use crate::support::{echo_through, signed};

const IDS: &str = r#"{"ids":["01A"],"status":200}"#;

fn event() -> NewEvent {
    NewEvent::named("demo/sent", json!({}))
}

async fn took<T>(work: impl Future<Output = T>) -> (T, u64) {
    let started = Instant::now();
    let done = work.await;
    (done, started.elapsed().as_secs())
}

fn hanging(times: usize) -> FakeApi {
    (0..times).fold(FakeApi::default(), |api, _| api.hang())
}

#[tokio::test(start_paused = true)]
async fn no_request_waits_longer_than_the_deadline_whatever_the_transport_does() {
    let (probed, seconds) = took(client(dev(), hanging(1)).probe_api()).await;
    assert_eq!((probed.unwrap_err().to_string().as_str(), seconds), ("no answer within 30s", 30));

    let (checked, seconds) = took(client(dev(), hanging(1)).check_event_key()).await;
    assert!(matches!(checked, Err(SendError::Unavailable { status: None, .. })), "{checked:?}");
    assert_eq!(seconds, 30);

    let (signal, seconds) = took(client(dev(), hanging(1)).send_signal("s", &Value::Null)).await;
    let signal = signal.unwrap_err().to_string();
    assert_eq!(signal, "the signal could not be sent to Inngest: no answer within 30s");
    assert_eq!(seconds, 30);

    let quick = |client: Client| client.with_deadline(Duration::from_secs(2));
    let (_, seconds) = took(quick(client(dev(), hanging(1))).probe_api()).await;
    assert_eq!(seconds, 2);
}

#[tokio::test(start_paused = true)]
async fn state_that_never_comes_fails_the_call_in_time() {
    let endpoint = echo_through(client(dev(), hanging(1)));
    let mut elsewhere = body();
    elsewhere["use_api"] = json!(true);
    let (answer, seconds) = took(call(&endpoint, &elsewhere)).await;
    assert_eq!((answer.status.as_u16(), answer.no_retry(), seconds), (500, Some("false"), 30));
    assert!(answer.text.contains("could not be fetched: no answer within 30s"), "{}", answer.text);
}

#[tokio::test(start_paused = true)]
async fn the_tries_of_a_send_end_within_a_minute() {
    // Two requests hang: the third would begin after more than 30 s.
    let (sent, seconds) = took(client(cloud(), hanging(5)).send(&[event()])).await;
    assert!(matches!(sent, Err(SendError::Unavailable { status: None, .. })), "{sent:?}");
    assert_eq!(seconds, 30);

    // The last try may take its whole time.
    let api = FakeApi::default().pausing(503, 30).hang();
    let (sent, seconds) = took(client(cloud(), api.clone()).send(&[event()])).await;
    assert!(sent.is_err());
    assert_eq!((seconds, api.requests().len()), (60, 2));

    let api = hanging(2).answer(200, IDS);
    let quick = client(cloud(), api).with_deadline(Duration::from_secs(5));
    let (sent, seconds) = took(quick.send(&[event()])).await;
    assert_eq!((sent.unwrap(), seconds), (vec!["01A".to_owned()], 10));
}

#[tokio::test(start_paused = true)]
async fn a_send_waits_as_long_as_it_is_asked_to() {
    let api = FakeApi::default().pausing(429, 7).pausing(503, 20).answer(200, IDS);
    let (sent, seconds) = took(client(cloud(), api).send(&[event()])).await;
    assert_eq!((sent.unwrap(), seconds), (vec!["01A".to_owned()], 27));

    // Not where that is too long: then the caller gets the error.
    let api = FakeApi::default().pausing(429, 7).pausing(429, 24);
    let (sent, seconds) = took(client(cloud(), api).send(&[event()])).await;
    let asked = Some(Duration::from_secs(24));
    assert!(
        matches!(&sent, Err(SendError::Unavailable { retry_after, .. }) if *retry_after == asked),
        "{sent:?}"
    );
    assert_eq!(seconds, 7);
}

#[tokio::test]
async fn a_pause_that_the_api_asks_for_is_handed_on() {
    let endpoint = echo_through(client(dev(), FakeApi::default().pausing(429, 90)));
    let mut elsewhere = body();
    elsewhere["use_api"] = json!(true);
    let answer = call(&endpoint, &elsewhere).await;
    assert_eq!((answer.no_retry(), answer.header("retry-after")), (Some("false"), Some("90")));

    let asked = Some(Duration::from_secs(90));
    let asking = client(dev(), FakeApi::default().pausing(429, 90));
    let refused = asking.send_signal("s", &Value::Null).await;
    assert!(
        matches!(&refused, Err(SignalError::Unavailable { retry_after, .. }) if *retry_after == asked),
        "{refused:?}"
    );
    let api = FakeApi::default().pausing(429, 90);
    let endpoint = serving_with(client(dev(), api), |step, _| {
        Box::pin(async move { Ok(json!(step.send_signal("tell", "s", &json!(1)).await?)) })
    });
    let answer = call(&endpoint, &body()).await;
    assert_eq!((answer.no_retry(), answer.header("retry-after")), (Some("false"), Some("90")));

    let endpoint = echo_through(client(cloud(), FakeApi::default().pausing(429, 90)));
    let put = signed(request(Method::PUT, "/api/inngest", ""), KEY, NOW);
    let answer = send(&endpoint, put).await;
    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (400, Some("90")));
    assert!(answer.text.contains("it asks for a pause of 90 s"), "{}", answer.text);
}

/// Steps can always be reported the ordinary way.
#[tokio::test]
async fn no_step_is_saved_within_a_call_while_the_api_asks_for_a_pause() {
    let api = FakeApi::default().pausing(429, 90);
    let function = Config::id("fn").event("demo/event.sent").checkpointing(Checkpointing::new());
    let function = function.run(two_steps);
    let app = inngest::App::new("app", client(dev(), api.clone())).function(function);
    let endpoint = app.build().unwrap();
    let mut body = body();
    body["ctx"]["fn_id"] = json!("f");
    body["ctx"]["qi_id"] = json!("q");
    for _ in 0..2 {
        assert_eq!(call(&endpoint, &body).await.ops(), [("StepRun".into(), "a".into())]);
    }
    assert_eq!(api.requests().len(), 1, "the second call does not ask again");
}

async fn two_steps(_: inngest::Event<()>, step: inngest::Step<'_>) -> inngest::Result<u8> {
    let a = step.run("a", async || Ok(1)).await?;
    Ok(a + step.run("b", async || Ok(1)).await?)
}
