//! Flow control and cancellation, as this server enforces them. What is here was checked before (`flow_control`).

use std::time::Duration;

use serde_json::{Map, Value};

use crate::duration;
use crate::expression::Expression;

const DAY: Duration = Duration::from_secs(86_400);
/// How long events can cancel a run when the configuration does not say.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(365 * 86_400);

/// Everything about a function that decides when it runs.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Settings {
    pub(crate) cancel: Vec<CancelOn>,
    /// Runs that have not begun, or not ended, in this time are cancelled.
    pub(crate) start_timeout: Option<Duration>,
    pub(crate) finish_timeout: Option<Duration>,
    /// What is too much is dropped. Idempotency is one of these (P-083).
    pub(crate) rate_limit: Option<Rate>,
    /// What is too much waits.
    pub(crate) throttle: Option<Rate>,
    pub(crate) debounce: Option<Debounce>,
    pub(crate) batch: Option<Batch>,
    pub(crate) singleton: Option<Singleton>,
    pub(crate) concurrency: Vec<Concurrency>,
}

/// Events that cancel a run (P-084).
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CancelOn {
    pub(crate) event: String,
    pub(crate) condition: Option<Expression>,
    pub(crate) timeout: Duration,
}

/// So many runs in a period (P-082).
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rate {
    pub(crate) limit: u32,
    pub(crate) period: Duration,
    /// How far starts may run ahead of the even pace.
    pub(crate) tolerance: Duration,
    pub(crate) key: Option<Expression>,
}

/// The last of a series of events starts the run (P-082).
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Debounce {
    pub(crate) period: Duration,
    /// The series is over after this time, whatever comes.
    pub(crate) timeout: Option<Duration>,
    pub(crate) key: Option<Expression>,
}

/// Several events start one run (P-081).
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Batch {
    pub(crate) size: usize,
    pub(crate) timeout: Duration,
    pub(crate) key: Option<Expression>,
    /// Events that do not meet it start a run of their own.
    pub(crate) condition: Option<Expression>,
}

/// One run at a time (P-086).
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Singleton {
    /// The run that goes on gives way, rather than the new one.
    pub(crate) cancels: bool,
    pub(crate) key: Option<Expression>,
}

/// So many calls at a time (P-080).
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Concurrency {
    pub(crate) limit: usize,
    pub(crate) key: Option<Expression>,
    /// The limit is for all functions with the same key.
    pub(crate) shared: bool,
}

impl Settings {
    pub(super) fn read(config: &Map<String, Value>) -> Self {
        let setting = |name: &str| config.get(name).filter(|setting| setting.is_object());
        let idempotency = config.get("idempotency").and_then(Value::as_str).map(|key| Rate {
            limit: 1,
            period: DAY,
            tolerance: DAY,
            key: Expression::parse(key).ok(),
        });
        let timeouts = setting("timeouts");
        Self {
            cancel: entries(config.get("cancel")).filter_map(cancel_on).collect(),
            start_timeout: timeouts.and_then(|timeouts| time(timeouts, "start")),
            finish_timeout: timeouts.and_then(|timeouts| time(timeouts, "finish")),
            rate_limit: idempotency.or_else(|| setting("rateLimit").and_then(rate_limit)),
            throttle: setting("throttle").and_then(throttle),
            debounce: setting("debounce").and_then(debounce),
            batch: setting("batchEvents").and_then(batch),
            singleton: setting("singleton").map(|singleton| Singleton {
                cancels: singleton.get("mode").and_then(Value::as_str) == Some("cancel"),
                key: key(singleton),
            }),
            concurrency: concurrency(config.get("concurrency")),
        }
    }
}

fn entries(setting: Option<&Value>) -> impl Iterator<Item = &Value> {
    setting.and_then(Value::as_array).into_iter().flatten()
}

fn cel(setting: &Value, field: &str) -> Option<Expression> {
    Expression::parse(setting.get(field)?.as_str()?).ok()
}

fn key(setting: &Value) -> Option<Expression> {
    cel(setting, "key")
}

fn time(setting: &Value, field: &str) -> Option<Duration> {
    duration::parse(setting.get(field)?.as_str()?)
}

fn number(setting: &Value, field: &str) -> u32 {
    let number = setting.get(field).and_then(Value::as_u64).unwrap_or(0);
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn cancel_on(entry: &Value) -> Option<CancelOn> {
    Some(CancelOn {
        event: entry.get("event")?.as_str()?.to_owned(),
        condition: cel(entry, "if"),
        timeout: time(entry, "timeout").unwrap_or(CANCEL_TIMEOUT),
    })
}

/// A tenth of the limit may come at once, as on the real server.
fn rate_limit(setting: &Value) -> Option<Rate> {
    let (limit, period) = (number(setting, "limit").max(1), time(setting, "period")?);
    let tolerance = period / limit * (limit / 10 + 1);
    Some(Rate { limit, period, tolerance, key: key(setting) })
}

/// All of the limit may come at once, and all of the burst [observed on 1.43].
fn throttle(setting: &Value) -> Option<Rate> {
    let (limit, period) = (number(setting, "limit").max(1), time(setting, "period")?);
    let tolerance = period.saturating_mul(number(setting, "burst").max(1));
    Some(Rate { limit, period, tolerance, key: key(setting) })
}

fn debounce(setting: &Value) -> Option<Debounce> {
    let (period, timeout) = (time(setting, "period")?, time(setting, "timeout"));
    Some(Debounce { period, timeout, key: key(setting) })
}

fn batch(setting: &Value) -> Option<Batch> {
    Some(Batch {
        size: usize::try_from(number(setting, "maxSize")).ok()?,
        timeout: time(setting, "timeout")?,
        key: key(setting),
        condition: cel(setting, "if"),
    })
}

/// Zero is no limit.
fn concurrency(setting: Option<&Value>) -> Vec<Concurrency> {
    let limits = match setting {
        Some(Value::Array(limits)) => limits.as_slice(),
        Some(limit) => std::slice::from_ref(limit),
        None => &[],
    };
    let limits = limits.iter().map(|limit| Concurrency {
        limit: usize::try_from(limit.as_u64().unwrap_or(u64::from(number(limit, "limit"))))
            .unwrap_or(usize::MAX),
        key: key(limit),
        shared: matches!(limit.get("scope").and_then(Value::as_str), Some("env" | "account")),
    });
    limits.filter(|limit| limit.limit > 0).collect()
}
