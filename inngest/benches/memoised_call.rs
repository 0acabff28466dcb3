//! What a call costs beyond reading, authenticating and answering it.
//!
//! `cargo bench -p inngest` measures the endpoint and, in the same run and turn by turn, a floor: code that checks the
//! signature, parses the request into a typed struct with unparsed results, and answers a constant.

use std::collections::HashMap;
use std::hint::black_box;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::{Method, Request};
use inngest::signing::{SigningKey, SigningKeys};
use inngest::{
    App, Client, Clock, Config, Context, EventData, Function, Result, Settings, Transport,
    TransportFuture,
};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use sha1::{Digest as _, Sha1};

const KEY: &str = "signkey-test-8ee2262a15ac8d3c42d6a840db7af3de2aab08ef632b32a37a687f24b34dba3f";
const NOW: i64 = 1_700_000_000;
const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_millis(400);

#[derive(Deserialize)]
struct Order {
    steps: usize,
}

impl EventData for Order {
    const NAME: &'static str = "bench/order";
}

struct Serial;

impl Function for Serial {
    type Event = Order;
    type Output = usize;
    type OnFailure = ();

    fn config() -> Config {
        Config::id("serial")
    }

    async fn run(&self, cx: Context<'_, Self>) -> Result<usize> {
        let mut bytes = 0;
        for _ in 0..cx.event.data.steps {
            let data: String = cx.step.run("step", async || Ok(String::new())).await?;
            bytes += data.len();
        }
        Ok(bytes)
    }
}

struct Nowhere;

impl Transport for Nowhere {
    fn send(&self, _: Request<Bytes>) -> TransportFuture<'_> {
        Box::pin(std::future::pending())
    }
}

fn body(steps: usize, bytes: usize) -> Bytes {
    let hash = |n: usize| {
        let id = if n == 0 { "step".to_owned() } else { format!("step:{n}") };
        hex::encode(Sha1::digest(id))
    };
    let stack: Vec<_> = (0..steps).map(hash).collect();
    let memo: HashMap<_, _> =
        stack.iter().map(|hash| (hash.clone(), json!({ "data": "x".repeat(bytes) }))).collect();
    let event = json!({ "name": "bench/order", "data": { "steps": steps }, "id": "01M8", "ts": 1 });
    let body = json!({
        "ctx": { "run_id": "01M81HWYV2KTK2RAPW4NVTQ3GA", "attempt": 0, "max_attempts": 4,
                 "stack": { "stack": stack, "current": steps } },
        "event": event, "events": [event], "steps": memo, "version": 2,
    });
    body.to_string().into()
}

#[derive(Deserialize)]
struct FloorCall<'a> {
    #[serde(borrow)]
    event: &'a RawValue,
    #[serde(borrow)]
    steps: HashMap<&'a str, &'a RawValue>,
}

fn floor(keys: &SigningKeys, request: &Request<Bytes>) -> Bytes {
    let header = request.headers().get("x-inngest-signature").and_then(|value| value.to_str().ok());
    let trusted = keys.verify(header, request.body(), NOW).is_ok();
    let call: Option<FloorCall<'_>> = serde_json::from_slice(request.body()).ok();
    let parsed =
        call.is_some_and(|call| black_box(call.steps.len()) > 0 && !call.event.get().is_empty());
    assert!(trusted && parsed, "the floor reads the same request");
    Bytes::from_static(b"2048")
}

/// Calls a second, over one round.
fn rate(mut call: impl FnMut()) -> f64 {
    let started = Instant::now();
    let mut calls = 0_u32;
    while started.elapsed() < ROUND {
        call();
        calls += 1;
    }
    f64::from(calls) / started.elapsed().as_secs_f64()
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

#[expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints, and stops when it cannot go on"
)]
fn main() {
    let clock = Clock::new(|| SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000));
    let settings = Settings::cloud("key", SigningKey::new(KEY));
    let client = Client::with_sources(settings, Nowhere, clock, |_| {});
    let endpoint = App::new("bench", client).function(Serial).build().unwrap();
    let keys = SigningKeys { primary: SigningKey::new(KEY), fallback: None };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();

    for (name, steps, bytes) in [("2 steps of 1 KB", 2, 1024), ("1000 steps of 1 KB", 1000, 1024)] {
        let body = body(steps, bytes);
        let signature = SigningKey::new(KEY).sign(&body, NOW);
        let request = || {
            Request::builder()
                .method(Method::POST)
                .uri("/api/inngest?fnId=bench-serial&stepId=step")
                .header("x-inngest-signature", &signature)
                .body(body.clone())
                .unwrap()
        };
        let answer = runtime.block_on(endpoint.handle(request()));
        assert_eq!(
            (answer.status().as_u16(), answer.body()),
            (200, &(steps * bytes).to_string().into())
        );

        let (mut floors, mut endpoints) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            floors.push(rate(|| drop(black_box(floor(&keys, &request())))));
            endpoints.push(rate(|| drop(black_box(runtime.block_on(endpoint.handle(request()))))));
        }
        let (floor, endpoint) = (median(floors), median(endpoints));
        println!(
            "{name:20} floor {floor:9.0}/s   endpoint {endpoint:9.0}/s   ratio {:.2}",
            endpoint / floor
        );
    }
}
