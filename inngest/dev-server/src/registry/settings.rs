//! Flow control and cancellation (P-080..P-087).

use std::num::NonZeroU32;
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error as _};
use serde_json::{Map, Value};

use crate::duration;
use crate::expression::{Comparison, Expression};
use crate::typed;

const MAX_CONCURRENCY: usize = 2;
const MAX_CANCEL: usize = 5;
const DAY: u64 = 24 * 60 * 60;

/// Everything about a function that decides when it runs.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    pub(crate) cancel: Vec<CancelOn>,
    pub(crate) timeouts: Timeouts,
    /// Events over the limit are dropped. Idempotency is a rate limit too (P-083).
    pub(crate) rate_limit: Option<Rate>,
    /// Runs over the limit wait.
    pub(crate) throttle: Option<Rate>,
    pub(crate) debounce: Option<Debounce>,
    pub(crate) batch: Option<Batch>,
    pub(crate) singleton: Option<Singleton>,
    pub(crate) concurrency: Vec<Concurrency>,
    /// Accepted and without effect: nothing competes for a place in the queue of one process.
    pub(crate) has_priority: bool,
}

/// An event that cancels runs (P-084). The real server registers a bad `timeout` and then reprocesses every matching
/// event without end.
#[derive(Debug, serde::Deserialize)]
pub(crate) struct CancelOn {
    pub(crate) event: String,
    #[serde(rename = "if")]
    pub(crate) condition: Option<Comparison>,
    /// How long after its start a run can be cancelled.
    #[serde(default, deserialize_with = "optional")]
    pub(crate) timeout: Option<Duration>,
}

/// Runs that have not begun, or not ended, in this time are cancelled (P-085). The real server registers a bad duration
/// and then never calls the function.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(crate) struct Timeouts {
    #[serde(deserialize_with = "optional")]
    pub(crate) start: Option<Duration>,
    #[serde(deserialize_with = "optional")]
    pub(crate) finish: Option<Duration>,
}

/// So many runs in a period (P-082).
#[derive(Debug)]
pub(crate) struct Rate {
    pub(crate) limit: u32,
    pub(crate) period: Duration,
    /// How far starts may run ahead of the even pace.
    pub(crate) tolerance: Duration,
    pub(crate) key: Option<Expression>,
}

#[derive(serde::Deserialize)]
struct RateLimit {
    limit: NonZeroU32,
    #[serde(deserialize_with = "period::<0, DAY, _>")]
    period: Duration,
    key: Option<Expression>,
}

#[derive(serde::Deserialize)]
struct Throttle {
    #[serde(default)]
    limit: u32,
    #[serde(default)]
    burst: u32,
    #[serde(deserialize_with = "period::<0, { u64::MAX }, _>")]
    period: Duration,
    key: Option<Expression>,
}

/// The last of a series of events starts the run (P-082).
#[derive(Debug, serde::Deserialize)]
pub(crate) struct Debounce {
    #[serde(deserialize_with = "period::<1, { 7 * DAY }, _>")]
    pub(crate) period: Duration,
    /// The series ends after this time, even if events keep coming.
    #[serde(default, deserialize_with = "optional")]
    pub(crate) timeout: Option<Duration>,
    pub(crate) key: Option<Expression>,
}

/// Several events start one run (P-081).
#[derive(Debug, serde::Deserialize)]
pub(crate) struct Batch {
    #[serde(rename = "maxSize", deserialize_with = "batch_size")]
    pub(crate) size: usize,
    #[serde(deserialize_with = "go_duration")]
    pub(crate) timeout: Duration,
    pub(crate) key: Option<Expression>,
    /// An event that does not meet it starts a run of its own.
    #[serde(rename = "if")]
    pub(crate) condition: Option<Expression>,
}

/// One run at a time (P-086).
#[derive(Debug, serde::Deserialize)]
pub(crate) struct Singleton {
    #[serde(default)]
    pub(crate) mode: SingletonMode,
    pub(crate) key: Option<Expression>,
}

/// What an event does while a run is going on.
#[derive(Debug, Default, PartialEq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SingletonMode {
    #[default]
    Skip,
    Cancel,
}

/// So many calls at a time (P-080).
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(crate) struct Concurrency {
    /// Zero and less is no limit.
    pub(crate) limit: i64,
    pub(crate) key: Option<Expression>,
    pub(crate) scope: Scope,
}

/// Whose calls a limit counts.
#[derive(Debug, Default, PartialEq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Scope {
    #[default]
    Fn,
    Env,
    Account,
}

impl Settings {
    /// Reads the settings of a function and notes what is wrong with them.
    pub(super) fn read(config: &Map<String, Value>, problems: &mut Vec<String>) -> Self {
        #[derive(Default, serde::Deserialize)]
        struct Priority {
            run: Option<Expression>,
        }
        let priority: Option<Priority> = object(config, "priority", problems);
        let settings = Self {
            cancel: list(config, "cancel", MAX_CANCEL, problems),
            timeouts: object(config, "timeouts", problems).unwrap_or_default(),
            rate_limit: rate_limit(config, problems),
            throttle: object(config, "throttle", problems).map(Rate::throttle),
            debounce: object(config, "debounce", problems),
            batch: object(config, "batchEvents", problems),
            singleton: object(config, "singleton", problems),
            concurrency: concurrency(config, problems),
            has_priority: priority.is_some_and(|priority| priority.run.is_some()),
        };
        if settings.cancel.iter().any(|cancel| cancel.event.is_empty()) {
            problems.push("`cancel.event` is required".to_owned());
        }
        // P-081: a batch belongs to no single event.
        for (name, is_in_use) in [
            ("cancel", !settings.cancel.is_empty()),
            ("debounce", settings.debounce.is_some()),
            ("singleton", settings.singleton.is_some()),
            ("priority", settings.has_priority),
        ] {
            if settings.batch.is_some() && is_in_use {
                problems.push(format!("`batchEvents` and `{name}` exclude each other"));
            }
        }
        settings
    }
}

impl Rate {
    /// A tenth of the limit may come at once, as on the real server.
    fn limit(RateLimit { limit, period, key }: RateLimit) -> Self {
        let limit = limit.get();
        Self { limit, period, tolerance: period / limit * (limit / 10 + 1), key }
    }

    /// The whole limit may come at once, or the whole burst [observed on 1.43].
    fn throttle(Throttle { limit, burst, period, key }: Throttle) -> Self {
        Self { limit: limit.max(1), period, tolerance: period.saturating_mul(burst.max(1)), key }
    }
}

/// The rate limit, or the idempotency that takes its place.
fn rate_limit(config: &Map<String, Value>, problems: &mut Vec<String>) -> Option<Rate> {
    let limit = object(config, "rateLimit", problems).map(Rate::limit);
    let key = note(config.get("idempotency").map(|key| typed::read(key, "idempotency")), problems);
    let day = Duration::from_secs(DAY);
    let once = |key| Rate { limit: 1, period: day, tolerance: day, key: Some(key) };
    key.flatten().map(once).or(limit)
}

fn concurrency(config: &Map<String, Value>, problems: &mut Vec<String>) -> Vec<Concurrency> {
    const NAME: &str = "concurrency";
    let limits = match config.get(NAME) {
        Some(Value::Number(limit)) => {
            let limit = limit.as_i64().unwrap_or_default();
            vec![Concurrency { limit, ..Concurrency::default() }]
        }
        Some(Value::Object(_)) => object(config, NAME, problems).into_iter().collect(),
        _ => list(config, NAME, MAX_CONCURRENCY, problems),
    };
    if limits.iter().any(|limit: &Concurrency| limit.scope != Scope::Fn && limit.key.is_none()) {
        problems.push("`concurrency.scope` needs a `key`".to_owned());
    }
    limits
}

fn object<'a, T: Deserialize<'a>>(
    config: &'a Map<String, Value>,
    name: &str,
    problems: &mut Vec<String>,
) -> Option<T> {
    let value = config.get(name).filter(|value| !value.is_null());
    note(value.map(|value| typed::object(value, name)), problems)
}

fn list<'a, T: Deserialize<'a>>(
    config: &'a Map<String, Value>,
    name: &str,
    max: usize,
    problems: &mut Vec<String>,
) -> Vec<T> {
    let entries = match config.get(name) {
        None | Some(Value::Null) => return Vec::new(),
        Some(Value::Array(entries)) => entries,
        Some(_) => {
            problems.push(format!("`{name}` must be an array"));
            return Vec::new();
        }
    };
    if entries.len() > max {
        problems.push(format!("`{name}` takes at most {max} entries"));
    }
    entries.iter().filter_map(|entry| note(Some(typed::object(entry, name)), problems)).collect()
}

fn note<T>(value: Option<Result<T, String>>, problems: &mut Vec<String>) -> Option<T> {
    value?.map_err(|problem| problems.push(problem)).ok()
}

fn optional<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    let invalid = || D::Error::custom("not a duration; the real server would hang on it");
    text.map(|text| duration::parse(&text).ok_or_else(invalid)).transpose()
}

/// A duration within limits, in seconds.
fn period<'de, const MIN: u64, const MAX: u64, D>(from: D) -> Result<Duration, D::Error>
where
    D: Deserializer<'de>,
{
    let period = duration::parse(&String::deserialize(from)?);
    let period = period.ok_or_else(|| D::Error::custom("not a duration such as 10s"))?;
    if (Duration::from_secs(MIN)..=Duration::from_secs(MAX)).contains(&period) {
        Ok(period)
    } else {
        Err(D::Error::custom("out of range"))
    }
}

fn go_duration<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let timeout = duration::parse_go(&String::deserialize(from)?);
    timeout.ok_or_else(|| D::Error::custom("not a duration such as 5s, without days"))
}

fn batch_size<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
    let size = usize::try_from(u32::deserialize(from)?).unwrap_or(usize::MAX);
    if size < 2 { Err(D::Error::custom("less than 2")) } else { Ok(size) }
}
