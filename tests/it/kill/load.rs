//! Many webhooks while Inngest is away. `LOAD_SECONDS=60 cargo test load -- --nocapture` is the run whose numbers are in
//! docs/reliability.md.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use prometei_flow::inbox::Inbox;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::service::Replica;
use crate::database::Database;
use crate::ports;

/// Webhooks in a second.
const RATE: u64 = 200;

#[expect(clippy::disallowed_methods, reason = "how long to test is asked of the environment")]
fn seconds() -> u64 {
    std::env::var("LOAD_SECONDS").ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(3)
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_webhooks_a_second_are_stored_while_inngest_is_away_and_sent_when_it_is_back() {
    let (database, folder) = (Database::new().await, tempfile::tempdir().unwrap());
    // Nobody listens there until the webhooks are in.
    let inngest = ports::kept();
    let variables = [
        ("INNGEST_DEV", format!("http://{inngest}").as_str()),
        ("DATABASE_URL", &database.url),
        ("RUST_LOG", "warn"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut replica = Replica::new(variables.into(), folder.path().join("log")).await;
    replica.start().await;
    let http = reqwest::Client::builder().timeout(Duration::from_secs(5)).build().unwrap();
    let url = format!("http://{}/api/amocrm-webhook", replica.address);
    let (mut answers, mut memory) = (JoinSet::new(), Vec::new());
    let mut pace = tokio::time::interval(Duration::from_micros(1_000_000 / RATE));
    for number in 0..RATE * seconds() {
        pace.tick().await;
        let lead = number + 1;
        let body =
            format!("leads[status][0][id]={lead}&leads[status][0][status_id]=1&account[id]=1");
        let request = http.post(&url).body(body);
        answers.spawn(async move {
            let started = Instant::now();
            let status = request.send().await.map(|answer| answer.status().as_u16());
            (status.unwrap_or(0), started.elapsed())
        });
        if number % RATE == 0 {
            memory.extend(replica.memory());
        }
    }
    let answers = answers.join_all().await;
    let mut times: Vec<_> = answers.iter().map(|(_, time)| *time).collect();
    times.sort_unstable();
    let at = |share: usize| times[(times.len() - 1) * share / 100];
    println!(
        "{} webhooks at {RATE}/s: p50 {:?}, p99 {:?}, slowest {:?}; memory {:?} -> {:?} KiB",
        answers.len(),
        at(50),
        at(99),
        at(100),
        memory.first(),
        memory.last(),
    );
    let refused = answers.iter().filter(|(status, _)| *status != 200).count();
    assert_eq!(refused, 0);
    let store = database.open(Arc::new(prometei_flow::clock::SystemClock)).await;
    let inbox = Inbox::new(store);
    let waiting = inbox.counts().await.unwrap().waiting;
    assert_eq!(waiting, answers.len() as i64, "what was answered 200 is stored");

    let events = receive_events(inngest).await;
    let back = Instant::now();
    while inbox.counts().await.unwrap().waiting > 0 {
        assert!(back.elapsed() < Duration::from_secs(120), "the inbox empties");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mut leads = events.lock().unwrap().clone();
    println!("delivered within {:?} of Inngest's return", back.elapsed());
    leads.sort_unstable();
    assert_eq!(leads, (1..=RATE * seconds()).collect::<Vec<_>>(), "each one, once");
}

/// An Inngest that takes every event, and the leads that the events named. A resend with the same id counts once.
async fn receive_events(address: SocketAddr) -> Arc<Mutex<Vec<u64>>> {
    let (leads, ids) = (Arc::new(Mutex::new(Vec::new())), Mutex::new(HashSet::new()));
    let received = Arc::clone(&leads);
    let take = move |body: axum::body::Bytes| {
        let events: Vec<Value> = serde_json::from_slice(&body).unwrap();
        for event in &events {
            if ids.lock().unwrap().insert(event["id"].as_str().unwrap().to_owned()) {
                received.lock().unwrap().push(event["data"]["leadId"].as_u64().unwrap());
            }
        }
        let ids: Vec<_> = events.iter().map(|event| event["id"].clone()).collect();
        std::future::ready(serde_json::json!({"ids": ids, "status": 200}).to_string())
    };
    let take = Arc::new(take);
    let app = axum::Router::new()
        .route("/e/{key}", axum::routing::post(move |body: axum::body::Bytes| take(body)));
    let listener = TcpListener::bind(address).await.unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    leads
}
