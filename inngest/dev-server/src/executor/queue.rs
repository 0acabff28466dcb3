//! The queue: what to do next, and when.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use ulid::Ulid;

/// What a queue item asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Call the function to find out what it does next.
    Discovery,
    /// Call the function to run one planned step.
    Step { hash: String, name: String, race: bool },
    /// A sleep is over.
    Wake { hash: String, name: String, race: bool },
}

/// A unit of work. Retries are the same item again: attempts count per item, not per run (P-105).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) run: Ulid,
    pub(crate) kind: Kind,
    /// The step whose result led to this item: `ctx.stack.current` points behind it (P-151).
    pub(crate) after: Option<String>,
    pub(crate) due: i64,
    /// Zero-based.
    pub(crate) attempt: u32,
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
        Self { run, kind, after, due, attempt: 0, job_id }
    }

    pub(crate) fn retry(&self, due: i64) -> Self {
        Self { due, attempt: self.attempt + 1, ..self.clone() }
    }

    /// `stepId` of the call.
    pub(crate) fn step_id(&self) -> &str {
        match &self.kind {
            Kind::Discovery => "step",
            Kind::Step { hash, .. } | Kind::Wake { hash, .. } => hash,
        }
    }
}

/// Items by the time they are due; those due at the same moment in the order they came.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    heap: BinaryHeap<Reverse<Entry>>,
    pushed: u64,
}

impl Queue {
    pub(crate) fn push(&mut self, item: Item) {
        self.pushed += 1;
        self.heap.push(Reverse(Entry { due: item.due, order: self.pushed, item }));
    }

    /// Takes an item that is due.
    pub(crate) fn pop_due(&mut self, now_ms: i64) -> Option<Item> {
        if self.next_due()? > now_ms {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| entry.item)
    }

    pub(crate) fn next_due(&self) -> Option<i64> {
        self.heap.peek().map(|Reverse(entry)| entry.due)
    }
}

#[derive(Debug)]
struct Entry {
    due: i64,
    order: u64,
    item: Item,
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.due, self.order).cmp(&(other.due, other.order))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.order == other.order
    }
}

impl Eq for Entry {}
