//! Many webhooks while Inngest is away. `LOAD_SECONDS=60 cargo test load -- --nocapture` is the run whose numbers are in
//! docs/reliability.md.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use sandbox::{free_address, webhook_of};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::database::Database;
use crate::world::{Begin as _, DEADLINE, given};

/// Webhooks in a second.
const RATE: u64 = 200;

#[expect(clippy::disallowed_methods, reason = "how long to test is asked of the environment")]
fn seconds() -> u64 {
    std::env::var("LOAD_SECONDS").ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(3)
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_webhooks_a_second_are_stored_while_inngest_is_away_and_sent_when_it_is_back() {
    let database = Database::new().await;
    // No server listens there until the webhooks are in.
    let inngest = free_address().await.unwrap();
    let world = given()
        .inngest_at(format!("http://{inngest}"))
        .variable("DATABASE_URL", &database.url)
        .variable("RUST_LOG", "warn")
        .spawned()
        .await;
    let program = &world.replicas[0].service;
    let http = reqwest::Client::builder().timeout(Duration::from_secs(30)).build().unwrap();
    let url = world.webhook_url("/api/amocrm-webhook");
    let (mut answers, mut memory) = (JoinSet::new(), Vec::new());
    let mut pace = tokio::time::interval(Duration::from_micros(1_000_000 / RATE));
    for number in 0..RATE * seconds() {
        pace.tick().await;
        let request = http.post(&url).body(webhook_of(number + 1));
        answers.spawn(async move {
            let (started, mut repeats) = (Instant::now(), 0);
            let mut pause = tokio::time::interval(Duration::from_millis(100));
            loop {
                pause.tick().await;
                let status = request.try_clone().unwrap().send().await.unwrap().status();
                if status == 200 {
                    break;
                }
                assert!(status == 503 && started.elapsed() < DEADLINE, "{status}");
                repeats += 1;
            }
            (repeats, started.elapsed())
        });
        if number % RATE == 0 {
            memory.extend(program.memory());
        }
    }
    let answers = answers.join_all().await;
    let mut times: Vec<_> = answers.iter().map(|(_, time)| *time).collect();
    times.sort_unstable();
    let at = |share: usize| times[(times.len() - 1) * share / 100];
    // A machine that does much else may not store one in time. amoCRM sends it again then.
    let repeats: usize = answers.iter().map(|(repeats, _)| repeats).sum();
    println!(
        "{} webhooks at {RATE}/s, {repeats} repeats: p50 {:?}, p99 {:?}, slowest {:?}; memory {:?} -> {:?} KiB",
        answers.len(),
        at(50),
        at(99),
        at(100),
        memory.first(),
        memory.last(),
    );
    // What was stored too late for its answer is there again with its repeat: another event of the same deal.
    let stored = answers.len()..=answers.len() + repeats;
    let waiting = world.waiting().await;
    assert!(stored.contains(&usize::try_from(waiting).unwrap()), "{waiting} of {stored:?}");

    let events = receive_events(TcpListener::bind(inngest).await.unwrap());
    let back = Instant::now();
    while world.waiting().await > 0 {
        assert!(back.elapsed() < Duration::from_secs(120), "the inbox empties");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mut leads = events.lock().unwrap().clone();
    println!("delivered within {:?} of Inngest's return", back.elapsed());
    assert!(stored.contains(&leads.len()), "{} of {stored:?}", leads.len());
    leads.sort_unstable();
    leads.dedup();
    assert_eq!(leads, (1..=RATE * seconds()).collect::<Vec<_>>(), "each one");
}

/// An Inngest that takes every event, and the leads that the events named. A resend with the same id counts once.
fn receive_events(listener: TcpListener) -> Arc<Mutex<Vec<u64>>> {
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
    tokio::spawn(async move { axum::serve(listener, app).await });
    leads
}
