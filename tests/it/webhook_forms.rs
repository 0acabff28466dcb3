//! What is a webhook, on the two URLs where they come in, by its bytes alone.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use sandbox::bodies;
use serde_json::json;

use crate::world::{Answer, Begin as _, NOWHERE, World, given};

const URLS: [&str; 3] = ["/api/inngest", "/api/inngest/", "/api/amocrm-webhook"];

const TYPES: [&str; 5] = [
    "",
    "text/plain",
    "application/json",
    "application/octet-stream",
    "multipart/form-data; boundary=b",
];

/// Where webhooks need a secret, with an Inngest that is away.
async fn with_secret() -> World {
    given().signed().inngest_at(NOWHERE).variable("INNGEST_SERVE_ORIGIN", "").in_process().await
}

/// Where they need none.
async fn without_secret() -> World {
    given().inngest_at(NOWHERE).in_process().await
}

impl World {
    async fn post_as(&self, content_type: &str, path: &str, body: impl Into<Vec<u8>>) -> Answer {
        let request = self.request(Method::POST, path).header(CONTENT_TYPE, content_type);
        Self::as_amocrm(request.body(body.into())).await
    }

    /// The path with the secret that webhooks must carry.
    fn path_with_secret(&self, path: &str) -> String {
        self.webhook_url(path).replace(&self.url, "")
    }

    async fn kept(&self) -> Option<i64> {
        self.metric("webhook_bodies_unparsable").await
    }
}

#[tokio::test]
async fn a_webhook_is_known_on_both_urls_whatever_its_content_type_says() {
    let json = r#"{"leads":{"status":[{"id":"1"}]},"account":{"id":"32452514"}}"#;
    for world in [with_secret().await, without_secret().await] {
        for path in URLS {
            let path = world.path_with_secret(path);
            for content_type in TYPES {
                for body in [bodies::ORIGINAL, json] {
                    let answer = world.post_as(content_type, &path, body).await;
                    let accepted = (200, json!({ "accepted": 1 }));
                    assert_eq!((answer.status, answer.json()), accepted, "{path} {content_type}");
                }
            }
        }
        assert_eq!(world.waiting().await, 30);
    }
}

#[tokio::test]
async fn what_is_no_webhook_goes_to_the_endpoint_whole() {
    let world = without_secret().await;
    for body in ["", "{}", "hello", r#"{"event":{"name":"x"},"events":[{}],"steps":{},"ctx":{}}"#] {
        let answer = world.post_as("application/json", "/api/inngest", body).await;
        assert!(answer.from_sdk && answer.text.contains("names no function"), "{}", answer.text);
    }
    let probe = world.post_as("application/json", "/api/inngest?probe=trust", "").await;
    assert_eq!((probe.status, probe.from_sdk), (200, true));
    assert_eq!(world.kept().await, Some(0));
}

#[tokio::test]
async fn what_carries_the_secret_is_kept_where_it_cannot_be_read() {
    let world = with_secret().await;
    for path in URLS {
        let answer = world.post_as("text/plain", &world.path_with_secret(path), "hello").await;
        assert_eq!(answer.status, 200);
        // Without it, nothing is read and nothing kept.
        assert_eq!(world.post_as("text/plain", path, bodies::ORIGINAL).await.status, 401);
    }
    assert_eq!((world.kept().await, world.waiting().await), (Some(3), 0));
}

/// Bytes at random behind what each form begins with.
fn any_body() -> impl Strategy<Value = Vec<u8>> {
    let part = "--b\r\nContent-Disposition: form-data; name=\"leads[add][0][id]\"\r\n\r\n5\r\n--b";
    let beginnings =
        ["", "{", "{\"leads\":{\"add\":[", "leads[add][0][id]=", "unsorted%5Bdelete%5D[", part];
    let mut beginnings = beginnings.map(|text| text.as_bytes().to_vec()).to_vec();
    beginnings.push(b"\x1f\x8b\x08\0\0\0\0\0\0\xff".to_vec());
    let pieces =
        ["[", "]", "[0]", "[id]", "=", "&", "1", "%5B", "{}", "\":", "\r\n", "--b", "leads"];
    let piece = prop_oneof![
        vec(any::<u8>(), 0..40),
        select(pieces.to_vec()).prop_map(|text| text.as_bytes().to_vec()),
    ];
    (select(beginnings), vec(piece, 0..40))
        .prop_map(|(beginning, rest)| [beginning, rest.concat()].concat())
}

#[tokio::test]
async fn any_bytes_have_an_answer_that_amocrm_understands() {
    let world = with_secret().await;
    let mut dice = TestRunner::deterministic();
    for turn in 0..400 {
        let body = any_body().new_tree(&mut dice).unwrap().current();
        let (path, content_type) = (URLS[turn % 3], TYPES[turn % 5]);
        for (path, status) in [(world.path_with_secret(path).as_str(), 200), (path, 401)] {
            let answer = world.post_as(content_type, path, body.clone()).await;
            assert_eq!(answer.status, status, "{path} {content_type} {}", body.escape_ascii());
        }
    }
}
