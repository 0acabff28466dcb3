//! Works the queue off: calls functions and carries out what their replies ask for.

mod call;
mod finish;
mod ops;
pub(crate) mod queue;
mod reply;
mod retry;
mod schedule;
mod turn;

use std::collections::HashSet;
use std::sync::Arc;

use self::queue::{Item, Kind};
use self::reply::Reply;
use self::turn::{End, Outcome, Turn};
use crate::core::Core;
use crate::http_client::{Answer, NoAnswer};
use crate::observe::Observation;
use crate::state::State;

/// Runs until shutdown.
pub(crate) async fn run(core: Arc<Core>) {
    loop {
        let now = core.env.now();
        let next_due = {
            let mut state = core.state();
            while let Some(item) = state.queue.pop_due(now) {
                core.tasks.spawn(work(Arc::clone(&core), item));
            }
            state.queue.next_due()
        };
        let due = async {
            match next_due {
                Some(due) => core.env.clock.sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = core.shutdown.cancelled() => return,
            () = core.queue_changed.notified() => {}
            () = due => {}
        }
    }
}

async fn work(core: Arc<Core>, item: Item) {
    if matches!(item.kind, Kind::Wake { .. }) {
        core.wake(&item);
        return;
    }
    let prepared = {
        let mut state = core.state();
        let prepared = call::prepare(&core, &mut state, &item).zip(state.running(item.run));
        prepared.map(|(call, run)| {
            let function_id = run.function.id.clone();
            core.observe([Observation::CallMade {
                run_id: run.id.to_string(),
                function_id: function_id.clone(),
                step_id: item.step_id().to_owned(),
                attempt: item.attempt,
            }]);
            (call, function_id)
        })
    };
    // The run ended while the item waited.
    let Some((call, function_id)) = prepared else { return };
    let answer = tokio::select! {
        () = core.shutdown.cancelled() => return,
        answer = core.http.send(call.request) => answer,
    };
    core.observe([answered(&item, function_id, &answer)]);
    let reply = reply::judge(answer, core.env.now());
    core.reply(&item, reply, &call.known);
}

fn answered(item: &Item, function_id: String, answer: &Result<Answer, NoAnswer>) -> Observation {
    let (status, body) = match answer {
        Ok(answer) => (Some(answer.status), reply::decode(&answer.body)),
        Err(no_answer) => (None, no_answer.to_string().into()),
    };
    Observation::CallAnswered {
        run_id: item.run.to_string(),
        function_id,
        step_id: item.step_id().to_owned(),
        attempt: item.attempt,
        status,
        body,
    }
}

impl Core {
    fn wake(&self, item: &Item) {
        self.turn(item, |turn| {
            if let Err(end) = turn.wake() {
                turn.outcome.end = Some(end);
            }
        });
    }

    fn reply(&self, item: &Item, reply: Reply, known: &HashSet<String>) {
        self.turn(item, |turn| turn.reply(reply, known));
    }

    /// Changes the item's run under the lock, unless it is over, and carries out what follows.
    fn turn(&self, item: &Item, change: impl FnOnce(&mut Turn<'_>)) {
        let mut state = self.state();
        let Some(run) = state.running(item.run) else { return };
        let mut turn = Turn {
            run,
            item,
            env: &self.env,
            retry_interval: self.retry_interval,
            outcome: Outcome::default(),
        };
        change(&mut turn);
        let outcome = turn.outcome;
        self.settle(&mut state, item, outcome);
        drop(state);
        self.queue_changed.notify_one();
    }

    fn settle(&self, state: &mut State, item: &Item, outcome: Outcome) {
        let Outcome { next, mut seen, mut end } = outcome;
        if end.is_none() {
            for item in next {
                state.enqueue(item);
            }
        }
        let mut events = Vec::new();
        if let Some(run) = state.running(item.run) {
            run.outstanding = run.outstanding.saturating_sub(1);
            if end.is_none() && run.outstanding == 0 {
                end = Some(End::violation(format!(
                    "nothing is left to do, but the function has not returned: steps {:?} were \
                     reported and never finished; on the real server the run would hang",
                    run.pending
                )));
            }
            if let Some(end) = end {
                let (observation, lifecycle) = finish::finish(run, end, &self.env);
                seen.push(observation);
                events = lifecycle;
            }
        }
        for event in events {
            seen.extend(state.ingest(event, &self.env));
        }
        self.observe(seen);
    }
}
