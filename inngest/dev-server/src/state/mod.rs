//! Everything the server remembers, behind one lock.

mod calls;
pub(crate) mod checkpoint;
mod concurrency;
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
use self::pace::Pace;
use crate::event::Event;
use crate::ids::Env;
use crate::observe::Observation;
use crate::queue::{Group, Item, Queue};
use crate::registry::{Function, Registry};
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
    /// What happened and was not reported to subscribers yet.
    pub(crate) seen: Vec<Observation>,
    pace: Pace,
    /// When a function was last started for an event id, by function id and event id.
    started: HashMap<(String, String), i64>,
    /// Events that wait for a batch to fill or for a series to end.
    held: HashMap<Group, Held>,
    /// Numbers batches and series.
    held_count: u64,
    /// Functions and schedules whose next time is in the queue.
    scheduled: HashSet<(String, String)>,
    /// What runs wait for, by run and step.
    waits: BTreeMap<(Ulid, String), Wait>,
    calls: Calls,
}

/// A batch that fills, or the last event of a series.
#[derive(Debug)]
struct Held {
    number: u64,
    function: Arc<Function>,
    events: Vec<Arc<Event>>,
    since: i64,
}

impl State {
    /// Takes an event in: cancels and resumes runs, and starts the functions that it triggers. An event whose
    /// internal id is known was sent before, by a retry with the same seed: nothing happens.
    pub(crate) fn ingest(&mut self, event: Event, env: &Env) {
        if self.events.contains_key(&event.internal_id) {
            return;
        }
        let event = self.receive(event);
        self.cancel_runs(&event, env);
        self.resume_waits(&event, env);
        for function in self.registry.triggered_by(&event) {
            self.trigger(function, &event, env);
        }
    }

    /// Keeps an event and reports it.
    fn receive(&mut self, event: Event) -> Arc<Event> {
        let event = Arc::new(event);
        self.events.insert(event.internal_id, Arc::clone(&event));
        self.seen.push(Observation::EventReceived {
            id: event.internal_id.to_string(),
            name: event.name.clone(),
            data: event.data.clone(),
        });
        event
    }

    /// Puts an item of a run into the queue.
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
