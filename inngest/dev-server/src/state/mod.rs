//! Everything the server remembers, behind one lock.

mod calls;
pub(crate) mod checkpoint;
mod concurrency;
mod held;
mod intake;
mod invocations;
mod lifecycle;
mod pace;
mod timers;
mod waits;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use ulid::Ulid;

use self::calls::Calls;
use self::held::Intake;
use crate::event::Event;
use crate::ids::Env;
use crate::observe::Observation;
use crate::queue::{Item, Queue};
use crate::registry::Registry;
use crate::run::wait::Wait;
use crate::run::{Run, Status};

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) registry: Registry,
    pub(crate) queue: Queue,
    pub(crate) events: HashMap<Ulid, Arc<Event>>,
    pub(crate) runs: HashMap<Ulid, Run>,
    /// Runs by the event that started them, oldest first.
    pub(crate) runs_of_event: HashMap<Ulid, Vec<Ulid>>,
    intake: Intake,
    /// Functions and schedules whose next moment is in the queue.
    scheduled: HashSet<(String, String)>,
    /// What runs wait for, by run and step.
    waits: BTreeMap<(Ulid, String), Wait>,
    calls: Calls,
}

impl State {
    /// Takes an event in: cancels and resumes runs, and starts the functions that it triggers. An event whose
    /// internal id is known was sent before, by a retry with the same seed: nothing happens.
    pub(crate) fn ingest(&mut self, event: Event, env: &Env) -> Vec<Observation> {
        let event = Arc::new(event);
        if self.events.contains_key(&event.internal_id) {
            return Vec::new();
        }
        self.events.insert(event.internal_id, Arc::clone(&event));
        let mut seen = vec![Observation::EventReceived {
            id: event.internal_id.to_string(),
            name: event.name.clone(),
            data: event.data.clone(),
        }];
        seen.extend(self.cancel_runs(&event, env));
        self.resume_waits(&event, env);
        for function in self.registry.triggered_by(&event) {
            seen.extend(self.trigger(function, &event, env));
        }
        seen
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
