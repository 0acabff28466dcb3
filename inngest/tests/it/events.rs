//! T64, T65: sending events.

use inngest::{NewEvent, SendError};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::support::{EVENT_KEY, FakeApi, body, call, client, cloud, dev, serving_with};

fn event(n: u32) -> NewEvent {
    NewEvent::named("demo/sent", json!({ "n": n }))
}

const TWO_IDS: &str = r#"{"ids":["01A","01B"],"status":200}"#;

#[tokio::test]
async fn events_go_to_the_intake_under_the_event_key() {
    let api = FakeApi::default().answer(200, TWO_IDS);
    let mut settings = cloud();
    settings.env = Some("staging".to_owned());
    let sent = client(settings, api.clone()).send(&[event(1).with_id("one").at(5), event(2)]).await;
    assert_eq!(sent.unwrap(), ["01A", "01B"]);
    let request = &api.requests()[0];
    assert_eq!(request.uri().to_string(), "https://inn.gs/e/event-key-5ecret");
    assert_eq!(request.headers()["x-inngest-env"], "staging");
    assert_eq!(request.headers()["x-inngest-event-id-seed"], "1700000000000,BwcHBwcHBwcHBw==");
    assert!(request.headers().get("authorization").is_none());
    let body: Value = serde_json::from_slice(request.body()).unwrap();
    assert_eq!(
        body,
        json!([
            { "name": "demo/sent", "data": { "n": 1 }, "id": "one", "ts": 5 },
            { "name": "demo/sent", "data": { "n": 2 } },
        ])
    );
}

#[tokio::test]
async fn the_person_and_the_version_are_sent_beside_the_data() {
    let api = FakeApi::default().answer(200, r#"{"ids":["01A"]}"#);
    let user = json!({ "external_id": "u-1", "email": "a@b.example" });
    let user = user.as_object().unwrap().clone();
    let event = event(1).with_user(user.clone()).with_version("2026-11-26").at(5);
    client(cloud(), api.clone()).send(&[event]).await.unwrap();
    let body: Value = serde_json::from_slice(api.requests()[0].body()).unwrap();
    assert_eq!(
        body[0],
        json!({ "name": "demo/sent", "data": { "n": 1 }, "ts": 5, "user": user, "v": "2026-11-26" })
    );
}

#[tokio::test]
async fn data_that_is_json_text_is_sent_as_it_stands() {
    let api = FakeApi::default().answer(200, r#"{"ids":["01A"]}"#);
    let data = RawValue::from_string(r#"{"price": 1.50, "id":9007199254740991}"#.to_owned());
    let event = NewEvent { data: data.unwrap(), ..event(1) };
    client(cloud(), api.clone()).send(&[event]).await.unwrap();
    let body = r#"[{"name":"demo/sent","data":{"price": 1.50, "id":9007199254740991}}]"#;
    assert_eq!(api.requests()[0].body(), body);
}

#[tokio::test]
async fn t64_an_empty_list_needs_no_request_and_no_key_makes_none() {
    let api = FakeApi::default();
    assert_eq!(client(cloud(), api.clone()).send(&[]).await, Ok(vec![]));
    let mut keyless = cloud();
    keyless.event_key = None;
    assert_eq!(client(keyless, api.clone()).send(&[event(1)]).await, Err(SendError::NoEventKey));
    assert!(api.requests().is_empty());
}

#[tokio::test]
async fn in_dev_mode_a_dummy_stands_for_the_key_because_the_server_drops_events_without_one() {
    let api = FakeApi::default().answer(200, r#"{"ids":["01A"]}"#);
    client(dev(), api.clone()).send(&[event(1)]).await.unwrap();
    assert_eq!(api.requests()[0].uri().path(), "/e/NO_EVENT_KEY_SET");
}

#[tokio::test]
async fn a_base_url_may_have_a_path_and_a_key_a_newline_at_its_end() {
    let api = FakeApi::default().answer(200, r#"{"ids":["01A"]}"#);
    let mut settings = cloud().with_origin("https://proxy.example/inngest/");
    settings.event_key = Some("my-event-key\n".to_owned());
    client(settings, api.clone()).send(&[event(1)]).await.unwrap();
    let uri = api.requests()[0].uri().to_string();
    assert_eq!(uri, "https://proxy.example/inngest/e/my-event-key");
}

#[tokio::test]
async fn an_environment_that_no_header_can_carry_is_named() {
    let mut settings = dev();
    settings.env = Some("a\nb".to_owned());
    let client = client(settings, FakeApi::default());
    let error = client.send(&[event(1)]).await.unwrap_err().to_string();
    assert!(error.contains("INNGEST_ENV"), "{error}");
}

#[tokio::test]
async fn t64_refusals_are_final_and_tell_what_was_accepted() {
    let api = FakeApi::default()
        .answer(401, r#"{"status":401,"message":"","error":"Event key not found"}"#);
    let error = client(cloud(), api.clone()).send(&[event(1)]).await.unwrap_err();
    assert_eq!(
        error,
        SendError::Unauthorized {
            status: 401,
            message: "Event key not found".into(),
            accepted: vec![]
        }
    );
    assert!(!error.to_string().contains(EVENT_KEY));

    let partial = r#"{"ids":["01A"],"status":400,"error":"event name is reserved for internal use: inngest/foo"}"#;
    let api = FakeApi::default().answer(400, partial);
    let error = client(cloud(), api.clone()).send(&[event(1), event(2)]).await.unwrap_err();
    insta::assert_snapshot!(error, @"Inngest refuses the event at position 1 (HTTP 400): event name is reserved for internal use: inngest/foo");
    assert_eq!(api.requests().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn t64_passing_troubles_are_tried_again_with_the_same_seed() {
    let api = FakeApi::default()
        .fail("connection refused")
        .answer(503, "")
        .answer(429, "slow down")
        .answer(200, "")
        .answer(200, TWO_IDS);
    let sent = client(cloud(), api.clone()).send(&[event(1), event(2)]).await;
    assert_eq!(sent.unwrap(), ["01A", "01B"]);
    let seeds: Vec<_> = api
        .requests()
        .iter()
        .map(|request| request.headers()["x-inngest-event-id-seed"].clone())
        .collect();
    assert_eq!(seeds.len(), 5);
    assert!(seeds.windows(2).all(|pair| pair[0] == pair[1]));
}

#[tokio::test(start_paused = true)]
async fn a_reply_without_an_id_for_each_event_is_no_success() {
    for reply in [
        "",
        "<!DOCTYPE html><html></html>",
        r#"{"status":200}"#,
        r#"{"ids":[],"status":200}"#,
        r#"{"ids":["01A"],"status":200}"#,
        r#"{"ids":["01A",""],"status":200}"#,
        r#"{"ids":["","01B"],"status":200}"#,
        r#"{"ids":["01A",null],"status":200}"#,
    ] {
        let api = (0..5).fold(FakeApi::default(), |api, _| api.answer(200, reply));
        let error = client(cloud(), api).send(&[event(1), event(2)]).await.unwrap_err();
        assert!(matches!(error, SendError::Unavailable { .. }), "{reply}: {error}");
    }
}

#[tokio::test]
async fn an_empty_id_is_no_id_of_an_accepted_event() {
    for (ids, accepted) in [
        (r#"[""]"#, &[][..]),
        ("[]", &[]),
        (r#"["01A"]"#, &["01A"]),
        (r#"["01A",""]"#, &["01A"]),
        // Where the first is not known to be accepted, the second is sent again: its id makes it no second event.
        (r#"["","01B"]"#, &[]),
    ] {
        let reply = format!(r#"{{"ids":{ids},"status":400,"error":"event name is empty"}}"#);
        let api = FakeApi::default().answer(400, reply);
        let error = client(cloud(), api).send(&[event(1), event(2)]).await.unwrap_err();
        let accepted: Vec<_> = accepted.iter().map(|id| (*id).to_owned()).collect();
        let message = "event name is empty".to_owned();
        assert_eq!(error, SendError::Refused { status: 400, message, accepted });
    }
}

const PAGE: &str = "<html><head><title>Sorry</title></head><body><h1>Sorry</h1></body></html>";

#[tokio::test]
async fn only_inngests_own_json_is_a_refusal_of_an_event() {
    let own = r#"{"ids":[""],"status":413,"error":"Event is over the max size"}"#;
    let api = FakeApi::default().answer(413, own);
    let error = client(cloud(), api).send(&[event(1)]).await.unwrap_err();
    assert!(matches!(error, SendError::Refused { status: 413, .. }), "{error}");

    for (status, body, advice) in [
        (301, "", "set INNGEST_BASE_URL"),
        (308, PAGE, "set INNGEST_BASE_URL"),
        (400, PAGE, "check INNGEST_BASE_URL"),
        // Of the whole request: no event was looked at.
        (
            400,
            r#"{"error":"No INNGEST_ENV branch name found","status":400}"#,
            "branch name found; ",
        ),
        (400, r#"{"ids":[""],"error":"an answer of another status","status":500}"#, "INNGEST_ENV"),
        (403, PAGE, "proxy or firewall"),
        (403, r#"{"message":"Forbidden"}"#, "proxy or firewall"),
        (404, PAGE, "check INNGEST_BASE_URL"),
        (404, r#"{"message":"no Route matched with those values"}"#, "no Route matched"),
        (405, "Method Not Allowed", "check INNGEST_BASE_URL"),
        (407, PAGE, "proxy or firewall"),
        (413, PAGE, "client_max_body_size"),
        (421, "Misdirected Request", "check INNGEST_BASE_URL"),
    ] {
        let api = FakeApi::default().answer(status, body);
        let error = client(cloud(), api.clone()).send(&[event(1)]).await.unwrap_err();
        assert!(
            matches!(error, SendError::Unavailable { status: Some(seen), .. } if seen == status),
            "{error:?}"
        );
        assert!(error.to_string().contains(advice), "{error}");
        assert_eq!(api.requests().len(), 1, "HTTP {status} does not pass within a second");
    }
}

#[tokio::test]
async fn a_key_that_inngest_does_not_know_is_named_whatever_the_status() {
    for status in [401, 403, 404] {
        let body = format!(r#"{{"error":"Event key not found","status":{status}}}"#);
        let api = FakeApi::default().answer(status, body);
        let error = client(cloud(), api).send(&[event(1)]).await.unwrap_err();
        assert!(error.to_string().contains("check INNGEST_EVENT_KEY"), "{error}");
    }
}

#[tokio::test]
async fn an_answer_that_quotes_the_path_does_not_bring_the_key_into_an_error() {
    let quoting = format!(r#"{{"message":"Cannot POST /e/{EVENT_KEY}","statusCode":404}}"#);
    let api = FakeApi::default().answer(404, quoting);
    let error = client(cloud(), api).send(&[event(1)]).await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains(EVENT_KEY), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn the_wait_that_an_answer_asks_for_is_reported_and_kept() {
    let asking = |wait: &str| {
        let response = http::Response::builder().status(429).header("retry-after", wait);
        response.body("slow down".into()).unwrap()
    };
    for (wait, seconds) in [("120", 120), ("Tue, 14 Nov 2023 22:14:20 GMT", 60)] {
        let api = FakeApi::default().answer_with(asking(wait));
        let error = client(cloud(), api.clone()).send(&[event(1)]).await.unwrap_err();
        let asked = Some(std::time::Duration::from_secs(seconds));
        assert!(
            matches!(error, SendError::Unavailable { retry_after, .. } if retry_after == asked),
            "{error:?}"
        );
        assert_eq!(api.requests().len(), 1, "not before its time");
    }
    let api = FakeApi::default().answer_with(asking("120"));
    let endpoint = serving_with(client(dev(), api), |step, _| {
        Box::pin(async move { Ok(json!(step.send_event("tell", vec![event(1)]).await?)) })
    });
    let step = call(&endpoint, &body()).await;
    assert_eq!((step.no_retry(), step.header("retry-after")), (Some("false"), Some("120")));
    let api = FakeApi::default().answer_with(asking("0")).answer(200, r#"{"ids":["01A"]}"#);
    assert_eq!(client(cloud(), api).send(&[event(1)]).await.unwrap(), ["01A"]);
}

#[tokio::test]
async fn a_key_is_checked_by_the_request_that_sends_events() {
    let api = FakeApi::default()
        .answer(200, r#"{"ids":[""],"status":200}"#)
        .answer(400, r#"{"ids":[""],"status":400,"error":"no events"}"#)
        .answer(401, r#"{"status":401,"message":"","error":"Event key not found"}"#)
        .answer(200, PAGE);
    let client = client(cloud(), api.clone());
    assert_eq!(client.check_event_key().await, Ok(()));
    assert_eq!(client.check_event_key().await, Ok(()), "the key is looked at before the events");
    let refused = client.check_event_key().await;
    assert!(matches!(refused, Err(SendError::Unauthorized { status: 401, .. })), "{refused:?}");
    let other = client.check_event_key().await;
    assert!(matches!(other, Err(SendError::Unavailable { status: Some(200), .. })), "{other:?}");
    let paths: Vec<_> = api.requests().iter().map(|request| request.uri().to_string()).collect();
    assert_eq!(paths, ["https://inn.gs/e/event-key-5ecret"; 4]);
    assert!(api.requests().iter().all(|request| request.body() == "[]"));
}

#[tokio::test]
async fn t65_a_repeated_send_step_sends_the_same_ids() {
    let api = FakeApi::default().answer(200, TWO_IDS).answer(200, TWO_IDS);
    let endpoint = serving_with(client(cloud_in_dev(), api.clone()), |step, _| {
        Box::pin(async move { Ok(json!(step.send_event("tell", vec![event(1), event(2)]).await?)) })
    });
    let first = call(&endpoint, &body()).await;
    assert_eq!(first.json()[0]["data"], json!({ "ids": ["01A", "01B"] }));
    call(&endpoint, &body()).await;
    let seeds: Vec<_> = api
        .requests()
        .iter()
        .map(|request| request.headers()["x-inngest-event-id-seed"].clone())
        .collect();
    assert_eq!(seeds[0], seeds[1]);
    let memo = crate::support::body_with(&[("tell", json!({ "data": { "ids": ["01A", "01B"] } }))]);
    assert_eq!(call(&endpoint, &memo).await.json(), json!(["01A", "01B"]));
}

fn cloud_in_dev() -> inngest::Settings {
    dev()
}
