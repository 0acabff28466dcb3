//! Works through the queue: calls functions and carries out what their replies ask for.

mod call;
mod carry_out;
mod check;
mod fetch;
mod reply;
mod retry;
mod schedule;
mod settle;
mod stream;
mod turn;
mod wait;

use std::sync::Arc;

use crate::core::Core;
use crate::observe::Observation;
use crate::queue::{Item, Job, Kind};

/// Runs until shutdown.
pub(crate) async fn run(core: Arc<Core>) {
    loop {
        let next_due = {
            let mut state = core.state();
            while let Some(job) = state.queue.pop_due(core.env.now()) {
                match job {
                    Job::Work(item) => _ = core.tasks.spawn(work(Arc::clone(&core), item)),
                    Job::Timer(timer) => state.ring(&timer, &core.env),
                }
            }
            core.publish(&mut state);
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
    match &item.kind {
        Kind::Discovery | Kind::Step(_) => call(&core, &item).await,
        Kind::Sleep(step) => core.turn(&item, |turn| turn.save(step, Arc::default())),
        Kind::Resume(step, memo) => core.turn(&item, |turn| turn.save(step, Arc::clone(memo))),
        Kind::Fetch(step, request) => {
            let fetched = fetch::perform(&core.http, request);
            if let Some(fetched) = core.shutdown.run_until_cancelled(fetched).await {
                core.turn(&item, |turn| turn.fetched(step, request, fetched));
            }
        }
    }
}

async fn call(core: &Core, item: &Item) {
    let prepared = core.change(|state, env| {
        // The run ended while the item waited, or a limit keeps it waiting.
        if state.running(item.run).is_none() || !state.enter(item) {
            return None;
        }
        state.begin(item.run, env.now());
        call::prepare(core, state, item)
    });
    let Some(call) = prepared else { return };
    let answer = core.http.send(call.request);
    let Some(answer) = core.shutdown.run_until_cancelled(answer).await else { return };
    let (status, body) = match &answer {
        Ok(answer) => (Some(answer.status), reply::decode(&answer.body)),
        Err(no_answer) => (None, no_answer.to_string().into()),
    };
    let (run_id, function_id) = call.ids;
    let (step_id, attempt) = (item.step_id().to_owned(), item.attempt);
    let answered =
        Observation::CallAnswered { run_id, function_id, step_id, attempt, status, body };
    core.change(|state, _| state.seen.push(answered));
    let reply = reply::judge(answer, core.env.now());
    core.turn(item, |turn| turn.reply(reply, &call.known));
}
