//! How fast runs may start: rate limits and throttles (P-082, P-083).

use std::collections::HashMap;

use serde_json::Value;

use crate::registry::Rate;

const NANOS_PER_MS: i64 = 1_000_000;

/// When each limited function and key would be back at its even pace, in nanoseconds.
///
/// Starts are spread evenly over the period, as the real server does it (a generic cell rate algorithm): a limit of ten in
/// an hour is one in six minutes, give or take the tolerance.
#[derive(Debug, Default)]
pub(super) struct Pace(HashMap<Key, i64>);

type Key = (&'static str, String, String);

/// A start that was asked for.
struct Start {
    key: Key,
    /// When the pace is even again after it.
    next: i64,
    /// The earliest time for it.
    earliest: i64,
}

impl Pace {
    /// Counts a start if it is allowed now; otherwise says that the limit is reached.
    pub(super) fn is_limited(&mut self, id: &str, rate: &Rate, event: &Value, now_ms: i64) -> bool {
        let start = self.start("rate", id, rate, event, now_ms);
        let is_limited = start.earliest > now_ms.saturating_mul(NANOS_PER_MS);
        if !is_limited {
            self.0.insert(start.key, start.next);
        }
        is_limited
    }

    /// Counts a start as soon as it is allowed, and says when that is, in milliseconds.
    pub(super) fn reserve(&mut self, id: &str, rate: &Rate, event: &Value, now_ms: i64) -> i64 {
        let Start { key, next, earliest } = self.start("throttle", id, rate, event, now_ms);
        self.0.insert(key, next);
        let ceil = i64::from(earliest.rem_euclid(NANOS_PER_MS) > 0);
        (earliest.div_euclid(NANOS_PER_MS) + ceil).max(now_ms)
    }

    fn start(
        &self,
        kind: &'static str,
        id: &str,
        rate: &Rate,
        event: &Value,
        now_ms: i64,
    ) -> Start {
        let group = rate.key.as_ref().map(|key| key.key(event)).unwrap_or_default();
        let key = (kind, id.to_owned(), group);
        let now = now_ms.saturating_mul(NANOS_PER_MS);
        let period = i64::try_from(rate.period.as_nanos()).unwrap_or(i64::MAX);
        let interval = period / i64::from(rate.limit.max(1));
        let tolerance = i64::try_from(rate.tolerance.as_nanos()).unwrap_or(i64::MAX);
        let next = self.0.get(&key).copied().unwrap_or(now).max(now).saturating_add(interval);
        Start { key, next, earliest: next.saturating_sub(tolerance) }
    }
}
