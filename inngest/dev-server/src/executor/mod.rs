//! Works the queue off: calls functions and carries out what their replies ask for.

mod call;
mod carry_out;
mod check;
mod fetch;
mod reply;
mod retry;
mod schedule;
mod settle;
mod turn;
mod wait;

use std::sync::Arc;

use crate::core::Core;
use crate::http_client::{Answer, NoAnswer};
use crate::observe::Observation;
use crate::queue::{Item, Job, Kind};

/// Runs until shutdown.
pub(crate) async fn run(core: Arc<Core>) {
    loop {
        let now = core.env.now();
        let next_due = {
            let mut state = core.state();
            while let Some(job) = state.queue.pop_due(now) {
                match job {
                    Job::Work(item) => _ = core.tasks.spawn(work(Arc::clone(&core), item)),
                    Job::Timer(timer) => core.observe(state.ring(&timer, &core.env)),
                }
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
    match &item.kind {
        Kind::Discovery | Kind::Step(_) => call(core, item).await,
        Kind::Sleep(_) | Kind::Resume(..) => core.wake(&item),
        Kind::Fetch(step, request) => {
            let fetched = tokio::select! {
                () = core.shutdown.cancelled() => return,
                fetched = fetch::perform(&core.http, request) => fetched,
            };
            core.fetched(&item, step, request, fetched);
        }
    }
}

async fn call(core: Arc<Core>, item: Item) {
    let prepared = {
        let mut state = core.state();
        // The run ended while the item waited, or a limit keeps it waiting.
        if state.running(item.run).is_none() || !state.enter(&item) {
            return;
        }
        state.begin(item.run, core.env.now());
        // That may have set a timer.
        core.queue_changed.notify_one();
        let prepared = call::prepare(&core, &mut state, &item);
        prepared.zip(state.running(item.run)).map(|(call, run)| {
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
