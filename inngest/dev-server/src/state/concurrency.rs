//! How many calls go on at a time (P-080).

use super::State;
use crate::queue::Item;
use crate::registry::{Concurrency, Function, Scope};
use crate::run::Run;

impl State {
    /// Lets a call begin, or keeps its item waiting until another call is over.
    pub(crate) fn enter(&mut self, item: &Item) -> bool {
        let Some(run) = self.runs.get(&item.run) else { return false };
        let limits = run.function.settings.concurrency.iter().enumerate();
        let groups: Vec<(String, usize)> = limits
            .filter(|(_, limit)| limit.limit > 0)
            .map(|(index, limit)| {
                (
                    group(run, &run.function, index, limit),
                    usize::try_from(limit.limit).unwrap_or(usize::MAX),
                )
            })
            .collect();
        if groups.iter().any(|(group, limit)| self.calls.going_on(group) >= *limit) {
            self.calls.park(item.clone());
            return false;
        }
        self.calls.begin(item, groups.into_iter().map(|(group, _)| group).collect());
        true
    }

    /// A call is over; the items that were kept waiting go back into the queue.
    pub(crate) fn leave(&mut self, item: &Item) {
        for parked in self.calls.end(item) {
            self.queue.push(parked);
        }
    }
}

/// The name of the group whose calls a limit counts.
fn group(run: &Run, function: &Function, index: usize, limit: &Concurrency) -> String {
    let key = limit.key.as_ref().map(|key| key.key(&run.event().for_call())).unwrap_or_default();
    if limit.scope != Scope::Fn {
        format!("shared {:?} {key}", limit.key)
    } else {
        format!("{} {index} {key}", function.id)
    }
}
