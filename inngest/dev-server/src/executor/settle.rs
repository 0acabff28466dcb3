//! What follows from a turn, carried out on everything the server remembers.

use super::turn::{Outcome, Turn};
use crate::core::Core;
use crate::ids::Env;
use crate::queue::Item;
use crate::run::end::End;
use crate::state::State;

impl Core {
    /// Changes the item's run, unless it is over, and carries out what follows. An error ends the run.
    pub(super) fn turn(&self, item: &Item, change: impl FnOnce(&mut Turn<'_>) -> Result<(), End>) {
        self.change(|state, env| {
            if item.is_call() {
                state.leave(item);
            }
            let Some(run) = state.running(item.run) else { return };
            let outcome = Outcome::default();
            let retry_interval = self.retry_interval;
            let mut turn = Turn { run, item, env, retry_interval, groups: false, outcome };
            let end = change(&mut turn).err();
            let outcome = turn.outcome;
            settle(state, item, outcome, end, env);
        });
    }
}

fn settle(state: &mut State, item: &Item, outcome: Outcome, mut end: Option<End>, env: &Env) {
    state.seen.extend(outcome.seen);
    if end.is_none() {
        for item in outcome.next {
            state.enqueue(item);
        }
        for wait in outcome.waits {
            end = end.or(state.begin_wait(wait));
        }
    }
    if end.is_none() {
        for (step, invoke) in outcome.invocations {
            state.invoke(item.run, &step, &invoke, env);
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
        state.end(item.run, end, env);
    }
}
