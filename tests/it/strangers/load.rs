//! Webhooks of amoCRM while strangers do their worst.

use std::io::Write as _;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::attack;
use crate::database::Database;
use crate::kill::service::Replica;
use crate::ports;

const SECRET: &str = "0123456789abcdef";

/// When a sender gives up an attempt, and when it gives up a webhook. This machine also runs the strangers and, for the
/// short tests, all other tests.
const PATIENCE: Duration = Duration::from_secs(4);
const DEADLINE: Duration = Duration::from_secs(20);

struct Besieged {
    replica: Replica,
    attack: JoinSet<()>,
    _database: Database,
    _folder: tempfile::TempDir,
}

impl Besieged {
    /// The real program in cloud mode, where strangers know neither the signing key nor the webhooks' secret.
    async fn start(descriptors: u32) -> Self {
        let (database, folder) = (Database::file(), tempfile::tempdir().unwrap());
        let nowhere = format!("http://{}", ports::NOBODY);
        let variables = [
            ("INNGEST_DEV", "0"),
            ("INNGEST_SIGNING_KEY", "signkey-test-0123456789abcdef"),
            ("INNGEST_EVENT_KEY", "event-key"),
            ("INNGEST_BASE_URL", &nowhere),
            ("AMOCRM_WEBHOOK_SECRET", SECRET),
            ("CRM_API_URL", &nowhere),
            ("CRM_API_KEY", "key"),
            ("CRM_API_USERNAME", "user"),
            ("CRM_API_PASSWORD", "password"),
            ("DATABASE_URL", &database.url),
            ("RUST_LOG", "warn"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let replica = Replica::new(variables.into(), folder.path().join("log")).await;
        let mut replica = replica.with_descriptors(descriptors);
        replica.start().await;
        Self { replica, attack: JoinSet::new(), _database: database, _folder: folder }
    }

    /// Sends `count` webhooks, 20 a second, each on a connection of its own and again where it was not taken, as amoCRM
    /// does. Every one must be stored, and the process stay small. Returns how long they took from the first attempt on.
    async fn stores_webhooks(&self, count: u64) -> Times {
        let http = reqwest::Client::builder().timeout(PATIENCE).pool_max_idle_per_host(0);
        let http = http.build().unwrap();
        let url = format!("http://{}/api/amocrm-webhook?secret={SECRET}", self.replica.address);
        let mut answers = JoinSet::new();
        let mut pace = tokio::time::interval(Duration::from_millis(50));
        for lead in 1..=count {
            pace.tick().await;
            let body = format!("leads[status][0][id]={lead}&leads[status][0][status_id]=1");
            let request = http.post(&url).body(body);
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
        let memory = self.replica.peak_memory().unwrap();
        // Past the test harness, which would keep it to itself.
        let _ = writeln!(std::io::stdout(), "{count} webhooks, {times:?}; {memory} KiB");
        assert!(times.slowest < DEADLINE, "a webhook was not stored: {times:?}");
        assert!(memory < 100_000, "{memory} KiB");
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
    let url = format!("http://{}/api/amocrm-webhook?secret=wrong", service.replica.address);
    let http = reqwest::Client::builder().build().unwrap();
    for _ in 0..20 {
        assert_eq!(http.post(&url).body("x").send().await.unwrap().status(), 401);
    }
    let log = std::fs::read_to_string(&service.replica.log).unwrap();
    assert_eq!(log.matches("wrong or missing secret").count(), 1, "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn half_open_connections_keep_no_webhook_out() {
    let mut service = Besieged::start(256).await;
    attack::half_open(&mut service.attack, service.replica.address, 400);
    service.stores_webhooks(60).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_has_run_out_of_descriptors_goes_on() {
    // About half of them are in use before the first connection.
    let mut service = Besieged::start(32).await;
    attack::half_open(&mut service.attack, service.replica.address, 100);
    service.stores_webhooks(40).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_few_strangers_of_every_kind_change_nothing() {
    let mut service = Besieged::start(1024).await;
    let address = service.replica.address;
    attack::half_open(&mut service.attack, address, 100);
    attack::large_unsigned(&mut service.attack, address, 8);
    attack::forging(&mut service.attack, address, 2);
    service.stores_webhooks(60).await;
}

/// `ulimit -n 4096; cargo test every_kind_at_once -- --ignored --nocapture` is the run whose numbers are in
/// docs/reliability.md.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes half a minute, both processors and 2,000 descriptors: ulimit -n 4096"]
async fn strangers_of_every_kind_at_once_change_nothing() {
    let mut service = Besieged::start(1024).await;
    let address = service.replica.address;
    attack::half_open(&mut service.attack, address, 1100);
    attack::large_unsigned(&mut service.attack, address, 60);
    attack::forging(&mut service.attack, address, 16);
    let times = service.stores_webhooks(600).await;
    assert!(times.p99 < Duration::from_millis(500), "{times:?}");
}
