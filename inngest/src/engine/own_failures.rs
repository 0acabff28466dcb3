//! How often the code of steps has failed that have a limit of their own.
//!
//! Nothing that the server sends says so. `ctx.attempt` counts deliveries, also those that never reached this app or
//! failed before the step (P-105), and no failure is saved before the last. So failures are counted here, where they
//! happen. What this process has not seen, or has forgotten, is missing: the count is never too high, and a step is
//! never given up too early.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

/// More steps than this are not between two attempts at a time; the oldest are forgotten.
const REMEMBERED: usize = 10_000;

#[derive(Debug, Default)]
pub(crate) struct OwnFailures(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    /// By run and step: how often it has failed, and when it did so first, as a number in order.
    failed: HashMap<Arc<str>, (u32, u64)>,
    oldest: BTreeMap<u64, Arc<str>>,
    next: u64,
}

impl OwnFailures {
    /// Counts one more failure, and returns how many there were.
    pub(super) fn count(&self, run: &str, step: &str) -> u32 {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = key(run, step);
        if let Some((failed, _)) = counts.failed.get_mut(&key) {
            *failed = failed.saturating_add(1);
            return *failed;
        }
        if counts.failed.len() >= REMEMBERED
            && let Some((_, forgotten)) = counts.oldest.pop_first()
        {
            counts.failed.remove(&forgotten);
        }
        let number = counts.next;
        counts.next += 1;
        counts.oldest.insert(number, Arc::clone(&key));
        counts.failed.insert(key, (1, number));
        1
    }

    /// The step is over.
    pub(super) fn forget(&self, run: &str, step: &str) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, number)) = counts.failed.remove(&key(run, step)) {
            counts.oldest.remove(&number);
        }
    }
}

fn key(run: &str, step: &str) -> Arc<str> {
    format!("{run}/{step}").into()
}

#[cfg(test)]
mod tests {
    use super::{OwnFailures, REMEMBERED};

    #[test]
    fn each_step_of_each_run_is_counted_until_it_is_over() {
        let failures = OwnFailures::default();
        assert_eq!([failures.count("a", "s"), failures.count("a", "s")], [1, 2]);
        assert_eq!([failures.count("b", "s"), failures.count("a", "t")], [1, 1]);
        failures.forget("a", "s");
        assert_eq!([failures.count("a", "s"), failures.count("b", "s")], [1, 2]);
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let failures = OwnFailures::default();
        for run in 0..=REMEMBERED {
            failures.count(&run.to_string(), "s");
        }
        assert_eq!(failures.count("1", "s"), 2);
        assert_eq!(failures.count("0", "s"), 1, "forgotten, and the next oldest with it");
        let counts = failures.0.lock().unwrap();
        assert_eq!((counts.failed.len(), counts.oldest.len()), (REMEMBERED, REMEMBERED));
    }
}
