//! The queue: what to do next, and when.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use ulid::Ulid;

use crate::ops::{Fetch, Step};

/// What a queue item asks for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    /// Call the function to find out what it does next.
    Discovery,
    /// Call the function to run one planned step.
    Step(Step),
    /// A sleep is over.
    Sleep(Step),
    /// A wait or an invocation has its result.
    Resume(Step, Arc<Value>),
    /// Make a request for the function.
    Fetch(Step, Arc<Fetch>),
}

/// A unit of work on a run. Retries are the same item again: attempts count per item, not per run (P-105).
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) run: Ulid,
    pub(crate) kind: Kind,
    /// The step whose result led to this item: `ctx.stack.current` points behind it (P-151).
    pub(crate) after: Option<String>,
    pub(crate) due: i64,
    /// Zero-based.
    pub(crate) attempt: u32,
    /// Starts at 1 and grows with every retry (P-103).
    pub(crate) generation: u32,
    pub(crate) job_id: String,
}

impl Item {
    pub(crate) fn first(
        run: Ulid,
        kind: Kind,
        after: Option<String>,
        due: i64,
        job_id: String,
    ) -> Self {
        Self { run, kind, after, due, attempt: 0, generation: 1, job_id }
    }

    pub(crate) fn retry(&self, due: i64) -> Self {
        let (attempt, generation) = (self.attempt + 1, self.generation + 1);
        Self { due, attempt, generation, ..self.clone() }
    }

    /// `stepId` of the call.
    pub(crate) fn step_id(&self) -> &str {
        self.step().map_or("step", |step| &step.hash)
    }

    /// The step that the item is about, unless it is a discovery.
    pub(crate) fn step(&self) -> Option<&Step> {
        match &self.kind {
            Kind::Discovery => None,
            Kind::Step(step) | Kind::Sleep(step) | Kind::Resume(step, _) | Kind::Fetch(step, _) => {
                Some(step)
            }
        }
    }

    /// Working on it calls the SDK.
    pub(crate) fn is_call(&self) -> bool {
        matches!(self.kind, Kind::Discovery | Kind::Step(_))
    }
}

/// A function, and the key that flow control gives an event of it.
pub(crate) type Group = (String, String);

/// What becomes due without belonging to the work of one run.
#[derive(Debug)]
pub(crate) enum Timer {
    /// A wait has taken long enough.
    WaitExpires { run: Ulid, hash: String },
    /// A batch has waited long enough, or a series of events is over.
    Release { group: Group, number: u64 },
    /// A run should have begun by now.
    StartTimeout { run: Ulid },
    /// A run should have ended by now.
    FinishTimeout { run: Ulid },
    /// A function runs by its schedule.
    Cron { function: String, schedule: String, due: i64 },
}

/// What becomes due.
#[derive(Debug)]
pub(crate) enum Job {
    Work(Item),
    Timer(Timer),
}

/// Jobs by the time they are due; those due at the same time in the order they came.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    jobs: BTreeMap<(i64, u64), Job>,
    pushed: u64,
}

impl Queue {
    pub(crate) fn push(&mut self, item: Item) {
        self.push_job(item.due, Job::Work(item));
    }

    pub(crate) fn push_timer(&mut self, due: i64, timer: Timer) {
        self.push_job(due, Job::Timer(timer));
    }

    fn push_job(&mut self, due: i64, job: Job) {
        self.pushed += 1;
        self.jobs.insert((due, self.pushed), job);
    }

    /// Takes a job that is due.
    pub(crate) fn pop_due(&mut self, now_ms: i64) -> Option<Job> {
        let first = self.jobs.first_entry().filter(|entry| entry.key().0 <= now_ms)?;
        Some(first.remove())
    }

    pub(crate) fn next_due(&self) -> Option<i64> {
        self.jobs.keys().next().map(|(due, _)| *due)
    }
}
