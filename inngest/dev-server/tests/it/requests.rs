//! Requests that the server makes for a function (P-109, P-135, P-136), and what it leaves out.

use std::sync::atomic::{AtomicU32, Ordering};

use axum::Router;
use axum::response::IntoResponse;
use axum::routing::any;
use http::{HeaderMap, Method, StatusCode, Uri};
use inngest_dev_server::Observation;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::fake_sdk::Answer;
use crate::world::{World, until};

async fn echo(method: Method, uri: Uri, headers: HeaderMap, body: String) -> impl IntoResponse {
    let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    let seen = json!({"method": method.as_str(), "a": header("a"),
        "authorization": header("authorization"), "x-api-key": header("x-api-key"),
        "query": uri.query()});
    ([("x-one", "1")], json!({"seen": seen, "body": body}).to_string())
}

/// A site that answers with the request that it got, or with an error.
async fn site() -> String {
    let app = Router::new()
        .route("/echo", any(echo))
        .route("/fail", any(async || (StatusCode::BAD_GATEWAY, "no")));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    origin
}

#[tokio::test]
async fn the_server_fetches_for_the_function() {
    let site = site().await;
    for (opts, method, body) in [
        (json!({"method": "PUT", "headers": {"a": "b"}, "body": "{\"x\":1}"}), "PUT", "{\"x\":1}"),
        (json!({"headers": {"a": "b"}, "body": "x=1"}), "POST", "\"x=1\""),
        (json!({"method": "GET", "headers": {"a": "b"}}), "GET", ""),
    ] {
        let mut opts = opts;
        opts["url"] = json!(format!("{site}/echo"));
        let mut world = World::one_op("Gateway", opts).await;
        world.send().await;
        let output = world.end().await.unwrap();
        let data = &output["memo"]["data"];
        assert_eq!((&data["status_code"], &data["headers"]["X-One"]), (&json!(200), &json!("1")));
        let echo: Value = serde_json::from_str(data["body"].as_str().unwrap()).unwrap();
        assert_eq!((&echo["seen"]["method"], &echo["seen"]["a"]), (&json!(method), &json!("b")));
        assert_eq!(echo["body"], body);
    }
}

#[tokio::test]
async fn any_status_is_an_answer() {
    let mut world =
        World::one_op("Gateway", json!({"url": format!("{}/fail", site().await)})).await;
    world.send().await;
    assert_eq!(world.end().await.unwrap()["memo"]["data"]["status_code"], 502);
}

#[tokio::test]
async fn a_site_that_cannot_be_reached_is_tried_again() {
    let mut world = World::one_op("Gateway", json!({"url": "http://127.0.0.1:1/"})).await;
    world.send().await;
    world.next_retry().await;
    let output = world.end().await.unwrap();
    let error = &output["memo"]["error"];
    assert_eq!(error["name"], "GatewayError");
    assert!(error["message"].as_str().unwrap().starts_with("Error making gateway request: "));
}

#[tokio::test]
async fn a_model_answers_with_its_json() {
    let url = format!("{}/echo", site().await);
    for (format, header, value) in [
        ("openai-chat", "authorization", "Bearer sk-1"),
        ("anthropic", "x-api-key", "sk-1"),
        ("gemini", "query", "key=sk-1"),
    ] {
        let opts = json!({"type": "step.ai.infer", "url": url, "headers": {"a": "b"},
            "auth_key": "sk-1", "format": format, "body": {"model": "m"}});
        let mut world = World::one_op("AiGateway", opts).await;
        world.send().await;
        let output = world.end().await.unwrap();
        let data = &output["memo"]["data"];
        assert_eq!((&data["seen"][header], &data["seen"]["a"]), (&json!(value), &json!("b")));
        assert_eq!(data["body"], r#"{"model":"m"}"#);
    }
}

#[tokio::test]
async fn a_model_that_fails_is_a_failed_step() {
    let opts = json!({"url": format!("{}/fail", site().await), "body": {}});
    let mut world = World::one_op("AIGateway", opts).await;
    world.send().await;
    world.next_retry().await;
    let output = world.end().await.unwrap();
    let error = &output["memo"]["error"];
    assert_eq!(error["name"], "AIGatewayError");
    assert_eq!(error["message"], "Error making AI request: unsuccessful status code: 502");
    assert_eq!((&error["data"], &error["stack"]), (&json!("no"), &json!("no")));
}

#[tokio::test]
async fn requests_that_the_real_server_hangs_on_fail() {
    for opts in [
        json!({"url": "http://127.0.0.1:1/", "body": {"a": 1}}),
        json!({"url": "nowhere"}),
        json!({}),
        json!({"url": "http://127.0.0.1:1/", "headers": {"a": 1}}),
    ] {
        let mut world = World::one_op("Gateway", opts.clone()).await;
        world.send().await;
        let message = world.failure().await;
        assert!(message.contains("(P-003)"), "{opts}: {message}");
    }
}

/// P-138.
#[tokio::test]
async fn the_function_may_ask_to_be_called_again() {
    let calls = AtomicU32::new(0);
    let mut world = World::simple(move |_| match calls.fetch_add(1, Ordering::Relaxed) {
        0 => Answer::ops(json!([{"op": "DiscoveryRequest", "id": "d", "name": ""}])),
        _ => Answer::done(json!("again")),
    })
    .await;
    world.send().await;
    assert_eq!(world.end().await, Ok(json!("again")));
}

/// P-140.
#[tokio::test]
async fn deferred_functions_are_ignored_and_reported() {
    let defer = json!({"op": "DeferAdd", "id": "d", "opts": {"fn_slug": "app-x", "input": {}}});
    let mut world = World::simple(move |call| match call.memo("a") {
        None => Answer::ops(json!([defer, {"op": "StepRun", "id": "a", "name": "a", "data": 1}])),
        Some(_) => Answer::done(json!("done")),
    })
    .await;
    world.send().await;
    let ignored = until!(world, Observation::OpIgnored { op, .. } => op);
    assert_eq!(ignored, "DeferAdd");
    assert_eq!(world.end().await, Ok(json!("done")));
}
