//! How runs begin and end.

use std::sync::Arc;
use std::time::Duration;

use ulid::Ulid;

use super::State;
use crate::duration::millis;
use crate::event::Event;
use crate::expression::Comparison;
use crate::ids::Env;
use crate::observe::Observation;
use crate::queue::{Item, Kind, Timer};
use crate::registry::{CancelOn, Function};
use crate::run::end::{End, finish};
use crate::run::{Parent, Run, Status};

/// How long events can cancel a run when the configuration does not say.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(365 * 86_400);

impl State {
    /// Begins a run, whose first call is due at `due`.
    pub(super) fn start(
        &mut self,
        function: Arc<Function>,
        events: Vec<Arc<Event>>,
        parent: Option<Parent>,
        due: i64,
        env: &Env,
    ) {
        let now = env.now();
        let Some(run) = Run::new(env.ulid(), function, events, parent, now) else { return };
        for event in run.events() {
            self.runs_of_event.entry(event.internal_id).or_default().push(run.id);
        }
        if let Some(timeout) = run.function.settings.timeouts.start {
            let late = now.saturating_add(millis(timeout));
            self.queue.push_timer(late, Timer::StartTimeout { run: run.id });
        }
        let (run_id, function_id) = run.ids();
        let event_id = run.event().internal_id.to_string();
        self.seen.push(Observation::RunStarted { run_id, function_id, event_id });
        let first = Item::first(run.id, Kind::Discovery, None, due, env.job());
        self.runs.insert(run.id, run);
        self.enqueue(first);
    }

    /// The function is called for the run; the first call starts its `finish` timeout.
    pub(crate) fn begin(&mut self, id: Ulid, now_ms: i64) {
        let Some(run) = self.running(id).filter(|run| !run.begun) else { return };
        run.begun = true;
        if let Some(timeout) = run.function.settings.timeouts.finish {
            let late = now_ms.saturating_add(millis(timeout));
            self.queue.push_timer(late, Timer::FinishTimeout { run: id });
        }
    }

    /// Ends a run, unless it is over, and reports that to its parent and in events.
    pub(crate) fn end(&mut self, id: Ulid, end: End, env: &Env) {
        let Some(run) = self.running(id) else { return };
        let parent = run.parent.take();
        let finished = finish(run, end, env);
        self.waits.retain(|(waiting, _), _| *waiting != id);
        if let Some(parent) = parent {
            self.resume(parent.run, &parent.step, finished.for_parent, env);
        }
        self.seen.push(finished.observation);
        for event in finished.events {
            self.ingest(event, env);
        }
    }

    /// Cancels the runs that an event cancels (P-084, P-187).
    pub(super) fn cancel_runs(&mut self, event: &Event, env: &Env) {
        let now = env.now();
        let cancels = |run: &Run, cancel: &CancelOn| {
            let timeout = millis(cancel.timeout.unwrap_or(CANCEL_TIMEOUT));
            let holds = |Comparison(condition): &Comparison| {
                condition.matches(&run.event().for_call(), Some(&event.for_call()))
            };
            cancel.event == event.name
                && now <= run.started_at.saturating_add(timeout)
                && cancel.condition.as_ref().is_none_or(holds)
        };
        let running = self.runs.values().filter(|run| run.status == Status::Running);
        let cancelled = running
            .filter(|run| run.function.settings.cancel.iter().any(|cancel| cancels(run, cancel)));
        let mut cancelled: Vec<_> = cancelled.map(|run| run.id).collect();
        cancelled.sort_unstable();
        for run in cancelled {
            self.end(run, End::Cancelled, env);
        }
    }
}
