//! The event API.

use inngest::{NewEvent, ReqwestTransport, Settings};
use inngest_dev_server::{DevServer, Observation};
use serde_json::{Value, json};

use crate::fake_sdk::Answer;
use crate::world::{NOW, World, client, until};

async fn world() -> World {
    World::simple(|_| Answer::done(json!(null))).await
}

#[tokio::test]
async fn events_get_ids_in_their_order() {
    let world = world().await;
    let (status, answer) = world.post_events(r#"[{"name":"a"},{"name":"b","data":null}]"#).await;
    assert_eq!((status, &answer["status"]), (200, &json!(200)));
    let ids: Vec<&str> = answer["ids"].as_array().unwrap().iter().flat_map(Value::as_str).collect();
    assert!(ids[0] < ids[1], "{ids:?}");
    for (id, name) in ids.iter().zip(["a", "b"]) {
        let event = world.get(&format!("/v1/events/{id}")).await;
        assert_eq!(event["data"]["name"], name);
        assert_eq!(event["data"]["ts"], NOW);
        assert_eq!(event["data"]["internal_id"], *id);
    }
}

#[tokio::test]
async fn invalid_events_are_refused_as_by_the_real_server() {
    let world = world().await;
    for (body, error) in [
        (r#"{"name":""}"#, "event name is empty"),
        (r#"{"data":{}}"#, "event name is empty"),
        ("null", "must contain an event object or an array"),
        (r#""x""#, "must contain an event object or an array"),
        (r#"{"name":"inngest/x"}"#, "event name is reserved for internal use: inngest/x"),
        (r#"{"name":"x","ts":1795348658}"#, "timestamp is before Jan 1, 1980"),
        (r#"{"name":"x","ts":4102444800001}"#, "timestamp is after Jan 1, 2100"),
        (r#"{"name":"x","ts":1.5}"#, "`ts` must be an integer"),
        (r#"{"name":"x","ts":"1"}"#, "`ts` must be an integer"),
        (r#"{"name":"x","data":[]}"#, "`data` must be an object"),
        (r#"{"name":"x","data":5}"#, "`data` must be an object"),
        (r#"{"name":"x","user":5}"#, "`user` must be an object"),
        (r#"{"name":"x","id":5}"#, "`id` must be a string"),
        (r#"{"name":5}"#, "`name` must be a string"),
        ("5", "must contain an event object or an array"),
        ("{nope", "key must be a string"),
        ("{\"name\":\"a\"}\n{\"name\":\"b\"}", "trailing characters"),
    ] {
        let (status, answer) = world.post_events(body).await;
        assert_eq!(status, 400, "{body}");
        assert_eq!(answer["ids"], json!([""]), "{body}");
        let found = answer["error"].as_str().unwrap();
        assert!(found.contains(error), "{body}: {found}");
    }
}

#[tokio::test]
async fn an_event_over_3_mib_is_refused() {
    let world = world().await;
    let event = json!({"name": "x", "data": {"text": "x".repeat(3 * 1024 * 1024)}}).to_string();
    let expected =
        format!("Event is over the max size: Max 3145728 bytes / Size {} bytes", event.len());
    let (status, answer) = world.post_events(event).await;
    assert_eq!((status, answer["error"].as_str().unwrap()), (400, expected.as_str()));
}

#[tokio::test]
async fn events_before_a_bad_one_are_accepted() {
    let mut world = world().await;
    let body = r#"[{"name":"app/event"},{"name":"inngest/x"},{"name":"app/event"}]"#;
    let (status, answer) = world.post_events(body).await;
    let ids = answer["ids"].as_array().unwrap();
    assert_eq!((status, ids.len()), (400, 1));
    assert_ne!(ids[0], "", "the id of the first event, and no empty one for the second");
    assert_eq!(world.end().await, Ok(json!(null)));
}

#[tokio::test]
async fn more_than_5000_events_are_taken_in_part() {
    let world = world().await;
    let many = |count| format!("[{}]", vec![r#"{"name":"other"}"#; count].join(","));
    let (status, answer) = world.post_events(many(5_000)).await;
    assert_eq!((status, answer["ids"].as_array().unwrap().len()), (200, 5_000));
    let one_more =
        many(5_000).replacen("other", "app/event", 1).replacen('[', "[{\"name\":\"x\"},", 1);
    let (status, answer) = world.post_events(one_more).await;
    assert_eq!((status, answer["ids"].as_array().unwrap().len()), (400, 5_000));
    assert_eq!(answer["error"], "Cannot have more than 5000 events in a batch");
    // The second of them is what the function waits for.
    let accepted = answer["ids"][1].as_str().unwrap();
    let runs = world.get(&format!("/v1/events/{accepted}/runs")).await;
    assert_eq!(runs["data"].as_array().unwrap().len(), 1, "{runs}");
}

#[tokio::test]
async fn nothing_is_accepted_from_an_empty_request() {
    let world = world().await;
    for body in ["[]", "", " "] {
        assert_eq!(world.post_events(body).await, (200, json!({"ids": [""], "status": 200})));
    }
}

#[tokio::test]
async fn an_empty_key_drops_the_event() {
    let mut world = world().await;
    for path in ["/e", "/e/"] {
        let url = world.server.url().join(path).unwrap();
        let response = client().post(url).body(r#"{"name":"app/lost"}"#).send().await.unwrap();
        assert_eq!(
            (response.status().as_u16(), response.text().await.unwrap().as_str()),
            (200, "ok")
        );
    }
    world.send().await;
    let first = until!(world, Observation::EventReceived { name, .. } => name);
    assert_eq!(first, "app/event");
}

#[tokio::test]
async fn a_configured_event_key_is_checked() {
    let builder = DevServer::builder().event_key("secret");
    let world = World::with(builder, None, json!([]), |_| Answer::done(json!(null))).await;
    let (status, answer) = world.post_events(r#"{"name":"a"}"#).await;
    assert_eq!(status, 401);
    assert_eq!(answer, json!({"status": 401, "message": "", "error": "Event key not found"}));
}

#[tokio::test]
async fn the_sdk_reaches_every_key_that_can_be_reached() {
    for key in ["my-event-key", "evt_key_1", "q+u3w==", "x!y", "a b!", "100%", "ключ?#", "a%2Fb"]
    {
        let builder = DevServer::builder().event_key(key);
        let world = World::with(builder, None, json!([]), |_| Answer::done(json!(null))).await;
        let mut settings = Settings::dev().with_origin(world.server.url().as_str());
        settings.event_key = Some(key.to_owned());
        let sdk = inngest::Client::new(settings, ReqwestTransport::new(client()));
        assert_eq!(sdk.check_event_key().await, Ok(()), "{key}");
        let sent = sdk.send(&[NewEvent::named("app/event", json!({}))]).await;
        assert!(sent.is_ok(), "{key}: {sent:?}");
    }
}

#[tokio::test]
async fn the_same_seed_makes_the_same_ids_and_no_second_run() {
    let mut world = world().await;
    let send = async || {
        let url = world.server.url().join("/e/key").unwrap();
        let request = client().post(url).body(r#"[{"name":"app/event"},{"name":"other"}]"#);
        let seed = "1795348658000,AAECAwQFBgcICQ==";
        let response = request.header("x-inngest-event-id-seed", seed).send().await.unwrap();
        response.text().await.unwrap()
    };
    let expected =
        r#"{"ids":["01M81HWXTG000G40R40M30E20A","01M81HWXTG000G40R40M30E20B"],"status":200}"#;
    assert_eq!(send().await, expected);
    assert_eq!(send().await, expected);
    world.end().await.unwrap();
    let runs = world.get("/v1/events/01M81HWXTG000G40R40M30E20A/runs").await;
    assert_eq!(runs["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn an_event_id_starts_a_function_once_a_day() {
    let mut world = world().await;
    let event = r#"{"name":"app/event","id":"order-1"}"#;
    world.post_events(event).await;
    world.end().await.unwrap();
    let skipped = |seen| match seen {
        Observation::RunSkipped { function_id, .. } => Some((false, function_id)),
        Observation::RunStarted { function_id, .. } => Some((true, function_id)),
        _ => None,
    };
    world.post_events(event).await;
    assert_eq!(world.until(skipped).await, (false, "app-fn".to_owned()));
    world.clock.advance(std::time::Duration::from_secs(24 * 60 * 60));
    world.post_events(event).await;
    assert_eq!(world.until(skipped).await, (true, "app-fn".to_owned()));
}
