//! How runs begin and end.

use std::sync::Arc;
use std::time::Duration;

use ulid::Ulid;

use super::State;
use crate::event::Event;
use crate::expression::Expression;
use crate::ids::Env;
use crate::observe::Observation;
use crate::queue::{Item, Kind, Timer};
use crate::registry::Function;
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
    ) -> Vec<Observation> {
        let now = env.now();
        let function_id = function.id.clone();
        let start_timeout = function.settings.timeouts.start;
        let Some(run) = Run::new(env.ulid(), function, events, parent, now) else {
            return Vec::new();
        };
        let (run_id, event_id) = (run.id, run.event().internal_id.to_string());
        for event in run.events() {
            self.runs_of_event.entry(event.internal_id).or_default().push(run_id);
        }
        self.runs.insert(run_id, run);
        self.enqueue(Item::first(run_id, Kind::Discovery, None, due, env.job()));
        if let Some(timeout) = start_timeout {
            let late = now.saturating_add(i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX));
            self.queue.push_timer(late, Timer::StartTimeout { run: run_id });
        }
        vec![Observation::RunStarted { run_id: run_id.to_string(), function_id, event_id }]
    }

    /// The function is called for the run, perhaps for the first time.
    pub(crate) fn begin(&mut self, id: Ulid, now_ms: i64) {
        let Some(run) = self.running(id).filter(|run| !run.begun) else { return };
        run.begun = true;
        if let Some(timeout) = run.function.settings.timeouts.finish {
            let timeout = i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX);
            let late = now_ms.saturating_add(timeout);
            self.queue.push_timer(late, Timer::FinishTimeout { run: id });
        }
    }

    /// Ends a run, unless it is over, and tells whoever wants to know.
    pub(crate) fn end(&mut self, id: Ulid, end: End, env: &Env) -> Vec<Observation> {
        let Some(run) = self.running(id) else { return Vec::new() };
        let parent = run.parent.take();
        let finished = finish(run, end, env);
        self.forget_waits(id);
        if let Some(parent) = parent {
            self.resume(parent.run, &parent.step, finished.for_parent, env);
        }
        let mut seen = vec![finished.observation];
        for event in finished.events {
            seen.extend(self.ingest(event, env));
        }
        seen
    }

    /// Cancels the runs that an event cancels (P-084, P-187).
    pub(super) fn cancel_runs(&mut self, event: &Event, env: &Env) -> Vec<Observation> {
        let now = env.now();
        let mut cancelled = Vec::new();
        for run in self.runs.values().filter(|run| run.status == Status::Running) {
            let cancels = run.function.settings.cancel.iter();
            let is_cancelled = cancels.filter(|cancel| cancel.event == event.name).any(|cancel| {
                let timeout = i64::try_from(cancel.timeout.unwrap_or(CANCEL_TIMEOUT).as_millis())
                    .unwrap_or(i64::MAX);
                let holds = |condition: &Expression| {
                    condition.matches(&run.event().for_call(), Some(&event.for_call()))
                };
                now <= run.started_at.saturating_add(timeout)
                    && cancel.condition.as_ref().is_none_or(holds)
            });
            if is_cancelled {
                cancelled.push(run.id);
            }
        }
        cancelled.sort_unstable();
        cancelled.into_iter().flat_map(|run| self.end(run, End::Cancelled, env)).collect()
    }
}
