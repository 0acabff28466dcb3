//! What follows from a turn, carried out on everything the server remembers.

use std::collections::HashSet;

use super::fetch::Fetched;
use super::reply::Reply;
use super::turn::{Outcome, Turn};
use crate::core::Core;
use crate::ops::{Fetch, Step};
use crate::queue::Item;
use crate::run::end::End;
use crate::state::State;

impl Core {
    pub(super) fn wake(&self, item: &Item) {
        self.turn(item, |turn| {
            if let Err(end) = turn.wake() {
                turn.outcome.end = Some(end);
            }
        });
    }

    pub(super) fn reply(&self, item: &Item, reply: Reply, known: &HashSet<String>) {
        self.turn(item, |turn| turn.reply(reply, known));
    }

    pub(super) fn fetched(&self, item: &Item, step: &Step, fetch: &Fetch, fetched: Fetched) {
        self.turn(item, |turn| {
            if let Err(end) = turn.fetched(step, fetch, fetched) {
                turn.outcome.end = Some(end);
            }
        });
    }

    /// Changes the item's run under the lock, unless it is over, and carries out what follows.
    fn turn(&self, item: &Item, change: impl FnOnce(&mut Turn<'_>)) {
        let mut state = self.state();
        if item.is_call() {
            state.leave(item);
        }
        if let Some(run) = state.running(item.run) {
            let mut turn = Turn {
                run,
                item,
                env: &self.env,
                retry_interval: self.retry_interval,
                groups: false,
                outcome: Outcome::default(),
            };
            change(&mut turn);
            let outcome = turn.outcome;
            self.settle(&mut state, item, outcome);
        }
        drop(state);
        self.queue_changed.notify_one();
    }

    fn settle(&self, state: &mut State, item: &Item, outcome: Outcome) {
        let Outcome { next, waits, invocations, mut seen, mut end } = outcome;
        if end.is_none() {
            for item in next {
                state.enqueue(item);
            }
            for wait in waits {
                end = end.or(state.begin_wait(wait));
            }
        }
        if end.is_none() {
            for (step, invoke) in invocations {
                seen.extend(state.invoke(item.run, &step, &invoke, &self.env));
            }
        }
        if let Some(run) = state.running(item.run) {
            run.outstanding = run.outstanding.saturating_sub(1);
            if end.is_none() && run.outstanding == 0 {
                end = Some(End::violation(format!(
                    "nothing is left to do, but the function has not returned: steps {:?} were \
                     reported and never finished; on the real server the run would hang",
                    run.pending
                )));
            }
        }
        if let Some(end) = end {
            seen.extend(state.end(item.run, end, &self.env));
        }
        self.observe(seen);
    }
}
