//! Many webhooks while Inngest is away. `LOAD_SECONDS=60 cargo test load -- --nocapture` is the run whose numbers are in
//! docs/reliability.md.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::service::Replica;
use crate::database::Database;

/// Webhooks in a second.
const RATE: u64 = 200;

#[expect(clippy::disallowed_methods, reason = "how long to test is asked of the environment")]
fn seconds() -> u64 {
    std::env::var("LOAD_SECONDS").ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(3)
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_webhooks_a_second_are_all_stored_while_inngest_is_away() {
    let (database, folder) = (Database::new().await, tempfile::tempdir().unwrap());
    // Nobody listens on port 1.
    let variables = [
        ("INNGEST_DEV", "http://127.0.0.1:1"),
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
    let store = database.open(std::sync::Arc::new(prometei_flow::clock::SystemClock)).await;
    let waiting = store.inbox_counts().await.unwrap().waiting;
    assert_eq!(waiting, answers.len() as i64, "what was answered 200 is stored");
}
