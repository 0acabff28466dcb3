//! Each metric moves when the thing happens that it is about.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use sandbox::{AmoCrmFailure, ErpFailure, ManualClock};

use crate::world::{Begin as _, World, eventually, given};

const LEAD: u64 = 45_721_053;

/// How long a test waits for a metric. Nothing is measured against it.
const WAIT: Duration = Duration::from_secs(50);

/// All that is exported, by name and labels, without the prefix.
pub(crate) type Exported = BTreeMap<String, f64>;

impl<S> World<S> {
    pub(crate) async fn metrics(&self) -> Exported {
        let text = self.admin_page("/metrics").await.text;
        let lines = text.lines().filter_map(|line| line.strip_prefix("prometei_flow_"));
        let lines = lines.filter_map(|line| line.rsplit_once(' '));
        lines.map(|(name, value)| (name.to_owned(), value.parse().unwrap())).collect()
    }

    /// Waits until these have these values.
    async fn metrics_show(&self, expected: &[(&str, f64)]) {
        for (name, value) in expected {
            let shown = async || {
                let metrics = self.metrics().await;
                (metrics.get(*name) == Some(value)).then_some(())
            };
            let other =
                |(other, _): &(&String, &f64)| other.split('{').next() == name.split('{').next();
            if tokio::time::timeout(WAIT, eventually("", shown)).await.is_err() {
                let metrics = self.metrics().await;
                let near: Vec<_> = metrics.iter().filter(other).collect();
                panic!("{name} is not {value}: {near:#?}");
            }
        }
    }
}

fn deals(state: &str, waits_for: &str) -> String {
    format!("deals{{state=\"{state}\",waits_for=\"{waits_for}\"}}")
}

fn ended(what: &str, labels: &str, outcome: &str) -> String {
    format!("{what}_duration_seconds_count{{{labels},outcome=\"{outcome}\"}}")
}

#[tokio::test]
async fn a_deal_that_gets_its_record_is_seen_at_each_station() {
    let world = given().lead(LEAD, "Ivan Petrov", 15_000).end_to_end().await;
    let before = world.metrics().await;
    assert_eq!(before[&deals("done", "nothing")], 0.0);
    assert_eq!(before["webhooks_received_total{outcome=\"accepted\"}"], 0.0);
    assert!(!before.contains_key("newest_webhook_timestamp_seconds"));

    world.webhook(LEAD).await;
    let run = "function=\"prometei-flow-amocrm-webhook\"";
    let step = |id: &str| ended("step", &format!("{run},step=\"{id}\""), "completed");
    world
        .metrics_show(&[
            ("webhooks_received_total{outcome=\"accepted\"}", 1.0),
            ("leads_stored_total", 1.0),
            ("events_sent_total", 1.0),
            ("inbox_waiting", 0.0),
            (&deals("done", "nothing"), 1.0),
            (&deals("forwarded", "nothing"), 0.0),
            (&ended("function_call", run, "completed"), 1.0),
            (&step("authorize-amocrm"), 1.0),
            (&step("fetch-lead-data"), 1.0),
            (&step("create-erp-task"), 1.0),
            (&ended("erp_call", "call=\"insert\"", "done"), 1.0),
            (&ended("amocrm_call", "call=\"tokens\"", "done"), 1.0),
            (&ended("amocrm_call", "call=\"leads\"", "done"), 1.0),
            ("database_read_success{what=\"deals\"}", 1.0),
            ("loop_late{loop=\"forwarder\"}", 0.0),
        ])
        .await;
    let after = world.metrics().await;
    let newest = after["newest_webhook_timestamp_seconds"];
    assert!(after["amocrm_token_expiry_timestamp_seconds{token=\"access\"}"] > newest);
    for operation in ["read", "write"] {
        let done = ended("database", &format!("operation=\"{operation}\""), "done");
        assert!(after[&done] > before[&done], "{operation}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_deal_without_a_record_is_seen_where_it_is_and_how_old_it_is() {
    let clock = Arc::new(ManualClock::new("2026-11-22T12:00:00Z".parse().unwrap()));
    let world = (1..=5).fold(given(), |world, lead| world.lead(lead, "Lead", 100));
    let world = world.clock(Arc::clone(&clock)).gate_before_inngest().in_process().await;
    world.inngest_is_there(false);
    world.webhook(1).await;
    clock.advance(Duration::from_secs(90));
    world
        .metrics_show(&[
            (&deals("waiting", "nothing"), 1.0),
            ("inbox_waiting", 1.0),
            ("inbox_oldest_age_seconds", 90.0),
            ("deals_oldest_age_seconds{state=\"waiting\",waits_for=\"nothing\"}", 90.0),
        ])
        .await;
    eventually("a send fails", async || {
        (world.metric("event_send_failures_total").await > Some(0)).then_some(())
    })
    .await;

    world.amocrm.fail_next(1, AmoCrmFailure::Hang);
    world.inngest_is_there(true);
    world.metrics_show(&[(&deals("forwarded", "nothing"), 1.0), ("inbox_waiting", 0.0)]).await;

    let (code, message) = ("500".to_owned(), "Field is required".to_owned());
    world.erp.fail_next(1, ErpFailure::Error { code, message });
    world.webhook(2).await;
    world
        .metrics_show(&[
            (&deals("failed", "person"), 1.0),
            (&ended("erp_call", "call=\"insert\"", "refused"), 1.0),
            (
                &ended(
                    "function_call",
                    "function=\"prometei-flow-amocrm-webhook\"",
                    "failed_finally",
                ),
                1.0,
            ),
        ])
        .await;

    world.erp.fail_next(1, ErpFailure::InsertThenBadGateway);
    world.webhook(3).await;
    world
        .metrics_show(&[
            (&deals("in_doubt", "person"), 1.0),
            (&ended("erp_call", "call=\"insert\"", "unknown"), 1.0),
        ])
        .await;

    world.erp.recover();
    world.erp.break_next(10_000, ErpFailure::NoDatabase);
    world.webhook(4).await;
    world.metrics_show(&[(&deals("failed", "erp"), 1.0)]).await;
    world.erp.recover();

    world.amocrm.fail_next(10_000, AmoCrmFailure::Answer { status: 503, body: String::new() });
    world.webhook(5).await;
    world
        .metrics_show(&[
            (&deals("failed", "amocrm"), 1.0),
            (&ended("amocrm_call", "call=\"leads\"", "unavailable"), 4.0),
        ])
        .await;
}

#[tokio::test]
async fn a_webhook_that_makes_no_deal_is_counted_by_the_reason() {
    let world = given().signed().in_process().await;
    let without_secret = world.request(reqwest::Method::POST, "/api/amocrm-webhook");
    without_secret.body("leads[status][0][id]=1").send().await.unwrap();
    world.post_webhook("/api/amocrm-webhook", "leads[note][0][note][element_id]=1").await;
    world.post_webhook("/api/amocrm-webhook", "").await;
    world.post_webhook("/api/amocrm-webhook", "leads[status][0][id]=seven").await;
    world.post_webhook("/api/amocrm-webhook", "a".repeat(4 * 1024 * 1024 + 1)).await;
    let counted = |outcome: &str| format!("webhooks_received_total{{outcome=\"{outcome}\"}}");
    world
        .metrics_show(&[
            (&counted("unauthorized"), 1.0),
            (&counted("ignored"), 1.0),
            (&counted("empty"), 1.0),
            (&counted("unparsable"), 1.0),
            (&counted("too_large"), 1.0),
            (&counted("not_stored"), 0.0),
            ("webhook_bodies_unparsable", 1.0),
        ])
        .await;
}

#[tokio::test]
async fn no_label_holds_anything_of_a_deal() {
    let world = given().lead(LEAD, "Ivan Petrov", 15_000).end_to_end().await;
    world.webhook(LEAD).await;
    world.records(1).await;
    let text = world.admin_page("/metrics").await.text;
    for of_deal in ["45721053", "Ivan", "15000", "fake-access-token", "fake-refresh-token"] {
        assert!(!text.contains(of_deal), "{of_deal}: {text}");
    }
    world.end().await;
}
