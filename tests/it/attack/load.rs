//! Webhooks of amoCRM during an attack.

use std::io::Write as _;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
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

pub(super) struct Attacked {
    world: World<Program>,
    pub(super) attack: JoinSet<()>,
    /// The most that the process may take, in KiB.
    pub(super) memory: u64,
}

impl Attacked {
    /// The real program in cloud mode, where attackers know neither the signing key nor the webhooks' secret, with so
    /// many open files and connections.
    pub(super) async fn start(descriptors: u32) -> Self {
        let world =
            given().signed().without_amocrm().inngest_at(NOWHERE).variable("RUST_LOG", "warn");
        let world = world.spawned_with_descriptors(Some(descriptors)).await;
        Self { world, attack: JoinSet::new(), memory: 100_000 }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.world.replicas[0].address
    }

    /// Sends webhooks of these leads, 20 a second, each on a connection of its own and again where it was not taken, as
    /// amoCRM does. Every one must be stored, and the process stay small. Returns how long they took from the first attempt on.
    pub(super) async fn stores_webhooks(&self, leads: RangeInclusive<u64>) -> Times {
        let http = reqwest::Client::builder().timeout(PATIENCE).pool_max_idle_per_host(0);
        let http = http.build().unwrap();
        let url = self.world.webhook_url("/api/amocrm-webhook");
        let mut answers = JoinSet::new();
        let mut pace = tokio::time::interval(Duration::from_millis(50));
        for lead in leads {
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
        let _ = writeln!(std::io::stdout(), "{} webhooks, {times:?}; {memory} KiB", times.count);
        assert!(times.slowest < DEADLINE, "a webhook was not stored: {times:?}");
        assert!(memory < self.memory, "{memory} KiB");
        times
    }
}

#[derive(Debug)]
#[expect(dead_code, reason = "for the numbers in docs/reliability.md")]
pub(super) struct Times {
    count: usize,
    p50: Duration,
    pub(super) p99: Duration,
    slowest: Duration,
}

impl Times {
    fn new(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at = |share: usize| times[(times.len() - 1) * share / 100];
        Self { count: times.len(), p50: at(50), p99: at(99), slowest: at(100) }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_webhooks_are_one_line_in_the_log() {
    let service = Attacked::start(1024).await;
    for _ in 0..20 {
        let forged = service.world.request(Method::POST, "/api/amocrm-webhook?secret=wrong");
        assert_eq!(forged.body("x").send().await.unwrap().status(), 401);
    }
    let log = service.world.replicas[0].service.log();
    assert_eq!(log.matches("wrong or missing secret").count(), 1, "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn half_open_connections_keep_no_webhook_out() {
    let mut service = Attacked::start(256).await;
    let address = service.address();
    clients::half_open(&mut service.attack, address, 400);
    service.stores_webhooks(1..=60).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_has_run_out_of_descriptors_goes_on() {
    // About half of them are in use before the first connection.
    let mut service = Attacked::start(32).await;
    let address = service.address();
    clients::half_open(&mut service.attack, address, 100);
    service.stores_webhooks(1..=40).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_few_attackers_of_every_kind_change_nothing() {
    let mut service = Attacked::start(1024).await;
    let address = service.address();
    clients::half_open(&mut service.attack, address, 100);
    clients::large_unsigned(&mut service.attack, address, 8);
    clients::slow_claims(&mut service.attack, address, 50);
    clients::forging(&mut service.attack, address, 2);
    service.stores_webhooks(1..=60).await;
}
