//! Event keys as people choose them, and the paths under which a self-hosted server takes them.

use http::Method;
use inngest_dev_server::{Builder, DevServer};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{Answers, answered, ask, judge, signing_key};
use crate::sdk::official_server;

/// A self-hosted server has to know them all: `inngest start --event-key ... --event-key ...`.
const KEYS: [&str; 8] = [
    "my-event-key",
    "evt_key_1",
    "2f1c6f0e-93a5-4c4e-8a39-0d7a2f0a1b2c",
    "q+u3w4E=",
    "x~y:z@!$&()*",
    "p@ss w%rd!",
    "ключ",
    "a%2Fb",
];

/// What may follow `/e/`.
const PATHS: [&str; 38] = [
    "my-event-key",
    "my%2Devent%2Dkey",
    "my%2devent%2dkey",
    "my-event-key%0A",
    "my-event-key%20",
    "My-Event-Key",
    "my-event-key/",
    "my-event-key/x",
    "my-event-key?a=b",
    "my-event-key;a",
    "evt_key_1",
    "evt%5Fkey%5F1",
    "%65vt_key_1",
    "2f1c6f0e-93a5-4c4e-8a39-0d7a2f0a1b2c",
    "2f1c6f0e%2D93a5%2D4c4e%2D8a39%2D0d7a2f0a1b2c",
    "q+u3w4E=",
    "q%2Bu3w4E%3D",
    "q+u3w4E%3D",
    "q%20u3w4E=",
    "x~y:z@!$&()*",
    "x~y:z@%21$&%28%29%2A",
    "x~y:z@!$&%28)*",
    "x%7Ey%3Az%40%21%24%26%28%29%2A",
    "p@ss%20w%25rd%21",
    "p@ss%20w%25rd!",
    "p%40ss%20w%25rd%21",
    "%D0%BA%D0%BB%D1%8E%D1%87",
    "%d0%ba%d0%bb%d1%8e%d1%87",
    "a%2Fb",
    "a%252Fb",
    "a%2fb",
    "a/b",
    "unknown",
    "%",
    "%zz",
    "%00",
    "",
    "my-event-key%",
];

#[tokio::test]
async fn a_key_is_read_as_the_official_server_reads_a_path() {
    let stop = CancellationToken::new();
    let official = official_server().filter(|_| signing_key().is_some());
    let is_official = official.is_some();
    let origin = match official {
        Some(origin) => origin,
        None => {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let server = KEYS.into_iter().fold(DevServer::builder(), Builder::event_key);
            let server = server.poll_interval(None).serve(listener, stop.clone()).unwrap();
            server.url().as_str().trim_end_matches('/').to_owned()
        }
    };
    let mut answers = Answers::new();
    for path in PATHS {
        let answer = ask(&origin, Method::POST, &format!("/e/{path}"), "[]".to_owned()).await;
        answers.insert(path.to_owned(), answered(answer));
    }
    stop.cancel();
    judge("keys", &answers, is_official, |_, ours, theirs| ours == theirs);
}
