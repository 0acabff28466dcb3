//! The listeners: which URL leads where, and what strangers get.

use std::io;

use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use sandbox::bodies;
use serde_json::json;

use crate::world::{Answer, Begin as _, NOWHERE, World, eventually, given};

const FORM: &str = "application/x-www-form-urlencoded; charset=UTF-8";

/// The largest webhook, and how many of them are held at once.
const WEBHOOK: usize = 4 * 1024 * 1024;
const WEBHOOKS: usize = 8;

/// The largest call.
const CALL: usize = 16 * 1024 * 1024;

/// In cloud mode, with an Inngest that is away: what is stored stays in the inbox.
async fn service() -> World {
    let world = given().signed().inngest_at(NOWHERE).variable("INNGEST_SERVE_ORIGIN", "");
    world.in_process().await
}

impl World {
    async fn send(&self, method: Method, path: &str, body: impl Into<reqwest::Body>) -> Answer {
        Answer::to(self.request(method, path).body(body)).await
    }

    /// Posts a form as amoCRM does.
    async fn post_form(&self, path: &str, body: &'static str) -> Answer {
        Answer::to(self.request(Method::POST, path).header(CONTENT_TYPE, FORM).body(body)).await
    }

    /// The head of a form that is posted to `path` with this framing.
    fn form_head(&self, path: &str, framing: &str) -> String {
        format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {FORM}\r\n{framing}\r\n\r\n")
    }

    /// The path of the webhooks, with their secret.
    fn webhook_path(&self) -> String {
        self.webhook_url("/api/amocrm-webhook").replace(&self.url, "")
    }
}

/// A chunk of so many bytes. Its end is left out: a service that has had too much closes the connection, and what it has
/// not read then would cut its answer off.
fn chunk(bytes: usize) -> Vec<u8> {
    let mut chunk = format!("{bytes:x}\r\n").into_bytes();
    chunk.resize(chunk.len() + bytes, b'x');
    chunk
}

#[tokio::test]
async fn the_serve_endpoint_answers_every_method_with_the_headers_of_the_sdk() {
    let world = service().await;
    for path in ["/api/inngest", "/api/inngest/", "/api/inngest?fnId=app-x&stepId=step"] {
        for (method, status) in [
            (Method::GET, 401),
            (Method::PUT, 401),
            (Method::POST, 401),
            (Method::PATCH, 405),
            (Method::DELETE, 405),
            (Method::OPTIONS, 405),
        ] {
            let answer = world.send(method.clone(), path, "{}").await;
            assert_eq!((answer.status, answer.from_sdk), (status, true), "{method} {path}");
            assert!(answer.json()["message"].is_string());
        }
    }
    let head = world.send(Method::HEAD, "/api/inngest", "").await;
    assert_eq!((head.status, head.text.as_str()), (401, ""));
}

#[tokio::test]
async fn a_form_without_a_function_is_a_webhook_on_both_urls() {
    let world = service().await;
    for path in ["/api/inngest", "/api/inngest/", "/api/amocrm-webhook"] {
        let answer = world.post_webhook(path, bodies::ORIGINAL).await;
        assert_eq!(answer, (200, json!({ "accepted": 1 })), "{path}");
    }
    assert_eq!(world.waiting().await, 3);
    // A form that names a function is a call, and an unsigned one.
    let path = world.webhook_path().replace("amocrm-webhook?", "inngest?fnId=app-x&");
    let call = world.post_form(&path, bodies::ORIGINAL).await;
    assert_eq!((call.status, call.from_sdk), (401, true));
    assert_eq!(world.waiting().await, 3);
}

#[tokio::test]
async fn a_webhook_without_the_secret_does_nothing() {
    let world = service().await;
    for path in ["/api/amocrm-webhook", "/api/amocrm-webhook?secret=wrong", "/api/inngest?secret="]
    {
        assert_eq!(world.post_form(path, bodies::ORIGINAL).await.status, 401);
    }
    assert_eq!(world.waiting().await, 0);
}

#[tokio::test]
async fn the_secret_is_looked_at_before_the_body_is_whatever_its_size() {
    let world = service().await;
    for path in ["/api/amocrm-webhook?secret=wrong", "/api/inngest?secret=wrong"] {
        for size in [1, WEBHOOK, WEBHOOK + 1] {
            // The body never comes: a service that waits for it does not answer.
            let head = world.form_head(path, &format!("Content-Length: {size}"));
            assert_eq!(world.status_of_head(&head).await, 401, "{path} {size}");
        }
    }
}

/// A webhook that is larger than an ordinary one by a megabyte.
fn large() -> Vec<u8> {
    vec![b'x'; 1024 * 1024 + 64 * 1024]
}

#[tokio::test]
async fn webhooks_that_are_being_read_hold_so_many_bytes_and_no_more() {
    let world = service().await;
    let path = world.webhook_path();
    let head = world.form_head(&path, "Transfer-Encoding: chunked");
    let mut being_read = Vec::new();
    for _ in 0..WEBHOOKS {
        let mut webhook = world.connect().await;
        webhook.sends(&head).await;
        webhook.sends(chunk(WEBHOOK)).await;
        being_read.push(webhook);
    }
    eventually("the room for large ones is used up", async || {
        (world.send(Method::POST, &path, large()).await.status == 503).then_some(())
    })
    .await;
    let ordinary = world.post_form(&path, bodies::ORIGINAL).await;
    assert_eq!(ordinary.status, 200, "the others have theirs");
    being_read.pop();
    eventually("there is room again", async || {
        (world.send(Method::POST, &path, large()).await.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_body_that_was_announced_and_does_not_come_takes_no_room() {
    let world = service().await;
    let path = world.webhook_path();
    let mut announced = Vec::new();
    for framing in [format!("Content-Length: {WEBHOOK}"), "Transfer-Encoding: chunked".to_owned()] {
        let head = world.form_head(&path, &format!("{framing}\r\nExpect: 100-continue"));
        for _ in 0..4 * WEBHOOKS {
            let mut webhook = world.connect().await;
            webhook.sends(&head).await;
            assert_eq!(webhook.status().await, 100, "the service waits for the body");
            announced.push(webhook);
        }
    }
    assert_eq!(world.send(Method::POST, &path, large()).await.status, 200);
}

#[tokio::test]
async fn a_webhook_over_the_limit_is_refused_with_and_without_its_length_told() {
    let world = service().await;
    let path = world.webhook_path();
    let told = world.form_head(&path, &format!("Content-Length: {}", WEBHOOK + 1));
    assert_eq!(world.status_of_head(&told).await, 413);

    let mut untold = world.connect().await;
    untold.sends(world.form_head(&path, "Transfer-Encoding: chunked")).await;
    untold.sends(chunk(WEBHOOK + 1)).await;
    assert_eq!(untold.status().await, 413);
}

#[tokio::test]
async fn a_call_may_be_larger_than_a_webhook_but_not_endless() {
    let world = service().await;
    // Without a signature's looks the body would not be read at all.
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let head = format!(
        "POST /api/inngest?fnId=x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\
         x-inngest-signature: t={now}&s={}\r\n\r\n",
        "ab".repeat(32)
    );
    for (size, end, status) in [(CALL, "\r\n0\r\n\r\n", 401), (CALL + 1, "", 413)] {
        let mut call = world.connect().await;
        call.sends(&head).await;
        call.sends(chunk(size)).await;
        call.sends(end).await;
        assert_eq!(call.status().await, status, "{size} bytes");
    }
}

#[tokio::test]
async fn strangers_find_nothing_else() {
    let world = service().await;
    let alive = world.page("/healthz").await;
    assert_eq!((alive.status, alive.json()), (200, json!({ "status": "ok" })));
    for (method, path, status) in [
        (Method::GET, "/api/amocrm-webhook", 405),
        (Method::GET, "/", 404),
        (Method::GET, "/metrics", 404),
        (Method::GET, "/readyz", 404),
        (Method::POST, "/healthz", 405),
    ] {
        let answer = world.send(method, path, "").await;
        assert_eq!(answer.status, status, "{path}");
        assert!(answer.json()["error"].is_string());
    }
    let odd = "GET /%ff/../..// HTTP/1.1\r\nHost: x\r\n\r\n";
    assert_eq!(world.status_of_head(odd).await, 404);
}

/// While the ERP takes its time, a gateway could cut the connection on which nothing is heard.
#[tokio::test]
async fn a_call_that_takes_long_is_answered_early_where_that_is_asked_for() {
    for (streaming, status) in [("1", 201), ("", 206)] {
        let world = given().inngest_at(NOWHERE).variable("INNGEST_STREAMING", streaming);
        let world = world.in_process().await;
        let mut held = world.erp.hold_next();
        let call = json!({
            "ctx": { "run_id": "01M81HWYV2KTK2RAPW4NVTQ3GA", "stack": { "stack": [], "current": 0 } },
            "event": { "name": "crm/create-deal", "data": { "dealName": "Сделка" }, "ts": 1 },
            "steps": {},
        });
        let path = "/api/inngest?fnId=prometei-flow-create-crm-deal&stepId=step";
        let request = world.request(Method::POST, path).body(call.to_string());
        let mut answering = tokio::spawn(request.send());
        held.arrived().await;
        if streaming.is_empty() {
            drop(held);
            let answer = answering.await.unwrap().unwrap();
            assert_eq!(answer.status(), status);
            assert!(answer.text().await.unwrap().starts_with("[{"));
            continue;
        }
        // The ERP is still silent when the head and the first sign of life arrive.
        let mut answer = (&mut answering).await.unwrap().unwrap();
        assert_eq!(answer.status(), status);
        assert_eq!(answer.chunk().await.unwrap().unwrap(), " ");
        drop(held);
        let rest = answer.text().await.unwrap();
        let envelope: serde_json::Value = serde_json::from_str(&rest).unwrap();
        assert_eq!(envelope["status"], 206, "{rest}");
    }
}

#[tokio::test]
async fn operators_see_readiness_and_numbers() -> io::Result<()> {
    let world = service().await;
    world.webhook(45_721_053).await;
    let ready = world.admin_page("/readyz").await;
    assert_eq!((ready.status, &ready.json()["status"]), (200, &json!("ready")));
    assert_eq!(world.waiting().await, 1);
    let accepted = "webhooks_received_total{outcome=\"accepted\"}";
    assert_eq!(world.metric(accepted).await, Some(1));
    std::fs::rename(world.folder().join("flow.db"), world.folder().join("elsewhere"))?;
    assert_eq!(world.admin_page("/readyz").await.status, 503);
    Ok(())
}
