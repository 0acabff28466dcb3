//! The metrics. What the database knows is read when they are asked for, with a deadline: what could not be read is absent,
//! and a metric of its own says so.

use std::time::Duration;

use ::http::header::CONTENT_TYPE;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use jiff::Timestamp;
use tokio::time::timeout;

use super::readiness::Admin;
use crate::deals::{self, DEAL_STATES, DealState};
use crate::inbox::InboxCounts;
use crate::metrics::{METRICS_CONTENT_TYPE, Scrape};

/// How long the database may take. Prometheus gives up after ten seconds by default.
const LIMIT: Duration = Duration::from_secs(2);

/// `GET /metrics`.
pub(super) async fn metrics(State(admin): State<Admin>) -> Response {
    let text = admin.metrics.render_with(&read(&admin).await);
    ([(CONTENT_TYPE, METRICS_CONTENT_TYPE)], text).into_response()
}

async fn read(admin: &Admin) -> Scrape {
    let (states, counts, behind, tokens) = tokio::join!(
        in_time("deals", deals::states(&admin.db)),
        in_time("inbox", admin.inbox.counts()),
        in_time("reconciliation", admin.progress.behind()),
        in_time("amocrm_tokens", admin.amocrm.token_expiries()),
    );
    let mut scrape = Scrape::new();
    let read = [
        ("deals", states.is_some()),
        ("inbox", counts.is_some()),
        ("reconciliation", behind.is_some()),
        ("amocrm_tokens", tokens.is_some()),
    ];
    scrape.gauges(
        "database_read_success",
        "1 where what the database knows could be read for these metrics; 0: it is absent here",
        read.map(|(what, read)| ([("what", what)], f64::from(u8::from(read)))),
    );
    if let Some(states) = states {
        show_deals(&mut scrape, &states, admin.db.time());
    }
    if let Some(counts) = counts {
        show_inbox(&mut scrape, &counts, admin.db.time());
    }
    if let Some(behind) = behind.flatten() {
        scrape.gauge(
            "reconcile_behind_seconds",
            "How long ago the moment is up to which amoCRM's events were read",
            behind.as_secs_f64(),
        );
    }
    scrape.gauges(
        "amocrm_token_expiry_timestamp_seconds",
        "When amoCRM's tokens expire. The access token is renewed by itself, and the refresh token with it",
        tokens.unwrap_or_default().into_iter().map(|(token, end)| ([("token", token)], seconds(end))),
    );
    show_loops(&mut scrape, admin);
    scrape
}

/// What `reading` brings, if it does within the limit.
async fn in_time<T>(
    what: &'static str,
    reading: impl Future<Output = anyhow::Result<T>>,
) -> Option<T> {
    let error = match timeout(LIMIT, reading).await {
        Ok(Ok(read)) => return Some(read),
        Ok(Err(error)) => format!("{error:#}"),
        Err(_) => format!("no answer within {LIMIT:?}"),
    };
    tracing::warn!(what, error, "the database could not be read for the metrics");
    None
}

fn show_deals(scrape: &mut Scrape, states: &[DealState], now: Timestamp) {
    // Zero is shown as well: an empty state is not an unknown one.
    let labels = |state, waits_for| [("state", state), ("waits_for", waits_for)];
    let empty = DEAL_STATES.map(|state| (labels(state, "nothing"), 0.0));
    let of =
        |state: &DealState| labels(state.state, state.waits_for.map_or("nothing", deals::stored));
    scrape.gauges(
        "deals",
        "Deals by where they are and what they wait for. What is changed is done too: its record differs from its lead",
        empty.into_iter().chain(states.iter().map(|state| (of(state), state.deals as f64))),
    );
    let age = |state: &DealState| {
        let oldest = state.oldest?;
        Some((of(state), now.duration_since(oldest).as_secs_f64().max(0.0)))
    };
    let empty = empty.into_iter().filter(|(labels, _)| labels[0].1 != "done");
    scrape.gauges(
        "deals_oldest_age_seconds",
        "How long ago the oldest deal of those was reported, or the difference was seen; 0 when there is none",
        empty.chain(states.iter().filter_map(age)),
    );
}

fn show_inbox(scrape: &mut Scrape, counts: &InboxCounts, now: Timestamp) {
    scrape.gauge("inbox_waiting", "Events that Inngest does not have yet", counts.waiting as f64);
    let age = counts.oldest_waiting.map_or(0.0, |oldest| now.duration_since(oldest).as_secs_f64());
    scrape.gauge(
        "inbox_oldest_age_seconds",
        "How long the oldest of them has waited, 0 when there is none",
        age.max(0.0),
    );
    scrape.gauge(
        "webhook_bodies_unparsable",
        "Kept webhook bodies of which something could not be read",
        counts.unparsable as f64,
    );
    if let Some(newest) = counts.newest_body {
        scrape.gauge(
            "newest_webhook_timestamp_seconds",
            "When the newest webhook was stored that is kept",
            seconds(newest),
        );
    }
}

fn show_loops(scrape: &mut Scrape, admin: &Admin) {
    let loops = admin.heartbeats.ages();
    scrape.gauges(
        "loop_age_seconds",
        "Seconds since a loop of the service last went round without an error",
        loops.iter().map(|age| ([("loop", age.name)], age.age.as_secs_f64())),
    );
    scrape.gauges(
        "loop_late",
        "1 where a loop should have gone round long ago, else 0",
        loops.iter().map(|age| ([("loop", age.name)], f64::from(u8::from(age.is_late)))),
    );
    scrape.gauge(
        "database_clock_skew_seconds",
        "Seconds by which the database's clock is ahead of this machine's",
        admin.db.clock_skew().unwrap_or_default().as_secs_f64(),
    );
}

fn seconds(time: Timestamp) -> f64 {
    time.as_millisecond() as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{in_time, read};
    use crate::admin::Admin;
    use crate::amocrm::AmoCrmPort;
    use crate::clock::SystemClock;
    use crate::db::testing::Database;
    use crate::heartbeat::Heartbeats;
    use crate::inbox::Inbox;
    use crate::metrics::Metrics;
    use crate::reconcile::Progress;
    use crate::registration::Gate;

    #[tokio::test]
    async fn what_a_failing_database_does_not_say_is_absent_and_a_metric_says_so() {
        let database = Database::new().await;
        let metrics = Metrics::new();
        let db = database.open(Arc::new(SystemClock)).await.measured(metrics.database());
        let heartbeats = Heartbeats::new(Arc::new(SystemClock));
        heartbeats.of("forwarder");
        let admin = Admin {
            inbox: Inbox::new(db.clone(), Default::default()),
            amocrm: AmoCrmPort::Missing(Default::default()),
            heartbeats,
            progress: Progress::new(Some(db.clone())),
            gate: Gate::open(),
            metrics,
            db,
        };
        let of_database = ["prometei_flow_deals{", "prometei_flow_inbox_waiting "];
        let text = admin.metrics.render_with(&read(&admin).await);
        for name in of_database {
            assert!(text.contains(&format!("\n{name}")), "{name}: {text}");
        }
        assert!(text.contains("\nprometei_flow_database_read_success{what=\"deals\"} 1.0\n"));

        admin.db.close().await;
        let text = admin.metrics.render_with(&read(&admin).await);
        for name in of_database {
            assert!(!text.contains(&format!("\n{name}")), "{name}: {text}");
        }
        for line in [
            "database_read_success{what=\"deals\"} 0.0",
            "database_read_success{what=\"inbox\"} 0.0",
            "database_read_success{what=\"reconciliation\"} 0.0",
            "database_duration_seconds_count{operation=\"read\",outcome=\"failed\"} 3",
            "loop_late{loop=\"forwarder\"} 0.0",
        ] {
            assert!(text.contains(&format!("\nprometei_flow_{line}\n")), "{line}: {text}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_database_is_not_waited_for() {
        let silent = std::future::pending::<anyhow::Result<()>>();
        assert_eq!(in_time("deals", silent).await, None);
    }
}
