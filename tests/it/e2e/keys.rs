//! A self-hosted Inngest, with event keys as people choose them.

use serde_json::json;

use crate::world::{Begin as _, given};

/// An official server for these tests needs all of them: `inngest start --event-key ... --event-key ...`.
const KEYS: [&str; 7] = [
    "my-event-key",
    "evt_key_1",
    "2f1c6f0e-93a5-4c4e-8a39-0d7a2f0a1b2c",
    "q+u3w4E=",
    "x~y:z@!$&()*",
    "p@ss w%rd!",
    "ключ",
];

#[tokio::test]
async fn whatever_the_event_key_a_webhook_becomes_a_record() {
    for key in KEYS {
        let world = given().event_key(key).lead(45_721_053, "Ремонт офиса", 46_333);
        let world = world.end_to_end().await;
        world.webhook(45_721_053).await;
        assert_eq!(world.records(1).await, [(json!("Ремонт офиса"), json!(46_333))], "{key}");
        world.end().await;
    }
}
