//! How fast runs may start: rate limits and throttles (P-082, P-083).

use std::collections::HashMap;

use serde_json::Value;

use crate::registry::Rate;

const NANOS_PER_MS: i64 = 1_000_000;

/// When each limited function and key would be back at its even pace, in nanoseconds.
#[derive(Debug, Default)]
pub(super) struct Pace(HashMap<Key, i64>);

type Key = (&'static str, String, String);

impl Pace {
    /// Counts a start, if it is allowed now; else `Err` is the moment of the next one, in milliseconds.
    ///
    /// Starts are spread evenly over the period, as the real server does it (a generic cell rate algorithm): a limit of
    /// ten in an hour is one in six minutes, give or take the tolerance.
    pub(super) fn take(
        &mut self,
        kind: &'static str,
        id: &str,
        rate: &Rate,
        event: &Value,
        now_ms: i64,
    ) -> Result<(), i64> {
        let (key, next, earliest) = self.next(kind, id, rate, event, now_ms);
        if earliest > now_ms.saturating_mul(NANOS_PER_MS) {
            return Err(ceil_ms(earliest));
        }
        self.0.insert(key, next);
        Ok(())
    }

    /// Counts a start as soon as it is allowed, and says when that is, in milliseconds.
    pub(super) fn reserve(
        &mut self,
        kind: &'static str,
        id: &str,
        rate: &Rate,
        event: &Value,
        now_ms: i64,
    ) -> i64 {
        let (key, next, earliest) = self.next(kind, id, rate, event, now_ms);
        self.0.insert(key, next);
        ceil_ms(earliest).max(now_ms)
    }

    fn next(
        &self,
        kind: &'static str,
        id: &str,
        rate: &Rate,
        event: &Value,
        now_ms: i64,
    ) -> (Key, i64, i64) {
        let group = rate.key.as_ref().map(|key| key.key(event)).unwrap_or_default();
        let key = (kind, id.to_owned(), group);
        let now = now_ms.saturating_mul(NANOS_PER_MS);
        let period = i64::try_from(rate.period.as_nanos()).unwrap_or(i64::MAX);
        let interval = period / i64::from(rate.limit.max(1));
        let tolerance = i64::try_from(rate.tolerance.as_nanos()).unwrap_or(i64::MAX);
        let next = self.0.get(&key).copied().unwrap_or(now).max(now).saturating_add(interval);
        (key, next, next.saturating_sub(tolerance))
    }
}

fn ceil_ms(nanos: i64) -> i64 {
    nanos.div_euclid(NANOS_PER_MS) + i64::from(nanos.rem_euclid(NANOS_PER_MS) > 0)
}
