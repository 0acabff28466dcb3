//! How runs begin and end.

use std::sync::Arc;

use ulid::Ulid;

use super::State;
use crate::core::Env;
use crate::event::Event;
use crate::executor::queue::{Item, Kind};
use crate::executor::{End, finish};
use crate::observe::Observation;
use crate::registry::Function;
use crate::run::{Parent, Run};

/// For how long an event id starts no second run of a function (P-178).
const EVENT_ID_WINDOW_MS: i64 = 24 * 60 * 60 * 1000;

impl State {
    /// An event matches a function.
    pub(super) fn trigger(
        &mut self,
        function: Arc<Function>,
        event: &Arc<Event>,
        env: &Env,
    ) -> Vec<Observation> {
        let now = env.now();
        let key = (function.id.clone(), event.id.clone());
        let started = self.started.entry(key).or_insert(i64::MIN);
        if started.saturating_add(EVENT_ID_WINDOW_MS) > now {
            return vec![Observation::RunSkipped {
                function_id: function.id.clone(),
                event_id: event.internal_id.to_string(),
            }];
        }
        *started = now;
        self.start(function, vec![Arc::clone(event)], None, env)
    }

    /// Begins a run.
    pub(super) fn start(
        &mut self,
        function: Arc<Function>,
        events: Vec<Arc<Event>>,
        parent: Option<Parent>,
        env: &Env,
    ) -> Vec<Observation> {
        let now = env.now();
        let function_id = function.id.clone();
        let Some(run) = Run::new(env.ulid(), function, events, parent, now) else {
            return Vec::new();
        };
        let (run_id, event_id) = (run.id, run.event().internal_id.to_string());
        for event in run.events() {
            self.runs_of_event.entry(event.internal_id).or_default().push(run_id);
        }
        self.runs.insert(run_id, run);
        self.enqueue(Item::first(run_id, Kind::Discovery, None, now, env.job()));
        vec![Observation::RunStarted { run_id: run_id.to_string(), function_id, event_id }]
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
}
