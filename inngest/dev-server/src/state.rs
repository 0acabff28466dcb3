//! Everything the server remembers, behind one lock.

use std::collections::HashMap;
use std::sync::Arc;

use ulid::Ulid;

use crate::core::Env;
use crate::event::Event;
use crate::executor::queue::{Item, Kind, Queue};
use crate::observe::Observation;
use crate::registry::{Function, Registry};
use crate::run::{Run, Status};

/// For how long an event id starts no second run of a function (P-178).
const EVENT_ID_WINDOW_MS: i64 = 24 * 60 * 60 * 1000;

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) registry: Registry,
    pub(crate) queue: Queue,
    pub(crate) events: HashMap<Ulid, Arc<Event>>,
    pub(crate) runs: HashMap<Ulid, Run>,
    /// Runs by the event that started them, oldest first.
    pub(crate) runs_of_event: HashMap<Ulid, Vec<Ulid>>,
    /// When a function was last started for an event id, by function id and event id.
    started: HashMap<(String, String), i64>,
}

impl State {
    /// Takes an event in and starts the functions that it triggers. An event whose internal id is known was sent
    /// before, by a retry with the same seed: nothing happens.
    pub(crate) fn ingest(&mut self, event: Event, env: &Env) -> Vec<Observation> {
        let event = Arc::new(event);
        if self.events.contains_key(&event.internal_id) {
            return Vec::new();
        }
        let mut seen = vec![Observation::EventReceived {
            id: event.internal_id.to_string(),
            name: event.name.clone(),
            data: event.data.clone(),
        }];
        for function in self.registry.triggered_by(&event) {
            seen.push(self.start(function, &event, env));
        }
        self.events.insert(event.internal_id, event);
        seen
    }

    fn start(&mut self, function: Arc<Function>, event: &Arc<Event>, env: &Env) -> Observation {
        let now = env.now();
        let (function_id, event_id) = (function.id.clone(), event.internal_id.to_string());
        let started =
            self.started.entry((function_id.clone(), event.id.clone())).or_insert(i64::MIN);
        if started.saturating_add(EVENT_ID_WINDOW_MS) > now {
            return Observation::RunSkipped { function_id, event_id };
        }
        *started = now;
        let run = Run::new(env.ulid(), function, Arc::clone(event), now);
        let run_id = run.id;
        self.runs.insert(run_id, run);
        self.runs_of_event.entry(event.internal_id).or_default().push(run_id);
        self.enqueue(Item::first(run_id, Kind::Discovery, None, now, env.job()));
        Observation::RunStarted { run_id: run_id.to_string(), function_id, event_id }
    }

    /// Puts an item into the queue, on its run's account.
    pub(crate) fn enqueue(&mut self, item: Item) {
        if let Some(run) = self.runs.get_mut(&item.run) {
            run.outstanding += 1;
        }
        self.queue.push(item);
    }

    /// The run, while it is going on.
    pub(crate) fn running(&mut self, id: Ulid) -> Option<&mut Run> {
        self.runs.get_mut(&id).filter(|run| run.status == Status::Running)
    }
}
