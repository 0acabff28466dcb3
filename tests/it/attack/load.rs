//! Webhooks of amoCRM during an attack.

use std::io::Write as _;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use reqwest::Method;
use sandbox::webhook_of;
use tokio::task::JoinSet;

use super::clients;
use crate::world::{Begin as _, NOWHERE, Program, World, given};

/// When a sender gives up an attempt, and when it gives up a webhook. This machine also runs the attackers and, for the
/// short tests, all other tests.
const PATIENCE: Duration = Duration::from_secs(4);
const DEADLINE: Duration = Duration::from_secs(60);

struct Besieged {
    world: World<Program>,
    attack: JoinSet<()>,
    /// The most that the process may take, in KiB.
    memory: u64,
}

impl Besieged {
    /// The real program in cloud mode, where attackers know neither the signing key nor the webhooks' secret, with so
    /// many open files and connections.
    async fn start(descriptors: u32) -> Self {
        let world =
            given().signed().without_amocrm().inngest_at(NOWHERE).variable("RUST_LOG", "warn");
        let world = world.spawned_with_descriptors(Some(descriptors)).await;
        Self { world, attack: JoinSet::new(), memory: 100_000 }
    }

    fn address(&self) -> SocketAddr {
        self.world.replicas[0].address
    }

    /// Sends `count` webhooks, 20 a second, each on a connection of its own and again where it was not taken, as amoCRM
    /// does. Every one must be stored, and the process stay small. Returns how long they took from the first attempt on.
    async fn stores_webhooks(&self, count: u64) -> Times {
        let http = reqwest::Client::builder().timeout(PATIENCE).pool_max_idle_per_host(0);
        let http = http.build().unwrap();
        let url = self.world.webhook_url("/api/amocrm-webhook");
        let mut answers = JoinSet::new();
        let mut pace = tokio::time::interval(Duration::from_millis(50));
        for lead in 1..=count {
            pace.tick().await;
            let request = http.post(&url).body(webhook_of(lead));
            answers.spawn(async move {
                let started = Instant::now();
                while started.elapsed() < DEADLINE {
                    let answer = request.try_clone().unwrap().send().await;
                    if answer.is_ok_and(|answer| answer.status() == 200) {
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                started.elapsed()
            });
        }
        let times = Times::new(answers.join_all().await);
        let memory = self.world.replicas[0].service.peak_memory().unwrap();
        // Past the test harness, which would keep it to itself.
        let _ = writeln!(std::io::stdout(), "{count} webhooks, {times:?}; {memory} KiB");
        assert!(times.slowest < DEADLINE, "a webhook was not stored: {times:?}");
        assert!(memory < self.memory, "{memory} KiB");
        times
    }
}

#[derive(Debug)]
#[expect(dead_code, reason = "for the numbers in docs/reliability.md")]
struct Times {
    p50: Duration,
    p99: Duration,
    slowest: Duration,
}

impl Times {
    fn new(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at = |share: usize| times[(times.len() - 1) * share / 100];
        Self { p50: at(50), p99: at(99), slowest: at(100) }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_webhooks_are_one_line_in_the_log() {
    let service = Besieged::start(1024).await;
    for _ in 0..20 {
        let forged = service.world.request(Method::POST, "/api/amocrm-webhook?secret=wrong");
        assert_eq!(forged.body("x").send().await.unwrap().status(), 401);
    }
    let log = service.world.replicas[0].service.log();
    assert_eq!(log.matches("wrong or missing secret").count(), 1, "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn half_open_connections_keep_no_webhook_out() {
    let mut service = Besieged::start(256).await;
    let address = service.address();
    clients::half_open(&mut service.attack, address, 400);
    service.stores_webhooks(60).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_has_run_out_of_descriptors_goes_on() {
    // About half of them are in use before the first connection.
    let mut service = Besieged::start(32).await;
    let address = service.address();
    clients::half_open(&mut service.attack, address, 100);
    service.stores_webhooks(40).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_few_attackers_of_every_kind_change_nothing() {
    let mut service = Besieged::start(1024).await;
    let address = service.address();
    clients::half_open(&mut service.attack, address, 100);
    clients::large_unsigned(&mut service.attack, address, 8);
    clients::slow_claims(&mut service.attack, address, 50);
    clients::forging(&mut service.attack, address, 2);
    service.stores_webhooks(60).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes 2,000 descriptors: ulimit -n 4096"]
async fn many_slow_claims_of_a_signature_take_little_memory() {
    let mut service = Besieged::start(1024).await;
    // 512 connections with 64 KiB each come on top of what all others cost.
    service.memory += 512 * 64;
    let address = service.address();
    clients::slow_claims(&mut service.attack, address, 1100);
    service.stores_webhooks(200).await;
}

/// `ulimit -n 4096; cargo test every_kind_at_once -- --ignored --nocapture` is the run whose numbers are in
/// docs/reliability.md.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes half a minute, the machine for itself and 2,000 descriptors: ulimit -n 4096"]
async fn attackers_of_every_kind_at_once_change_nothing() {
    let mut service = Besieged::start(1024).await;
    let address = service.address();
    clients::half_open(&mut service.attack, address, 1100);
    clients::large_unsigned(&mut service.attack, address, 60);
    clients::forging(&mut service.attack, address, 16);
    // In three parts: on a machine that does other things as well, one of them may be slow. A slow service is in each.
    let mut p99 = Vec::new();
    for _ in 0..3 {
        p99.push(service.stores_webhooks(200).await.p99);
    }
    p99.sort_unstable();
    assert!(p99[1] < Duration::from_millis(500), "{p99:?}");
}
