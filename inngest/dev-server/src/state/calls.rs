//! Calls in flight (P-080).

use std::collections::HashMap;

use crate::queue::Item;

#[derive(Debug, Default)]
pub(super) struct Calls {
    /// By job.
    pub(super) in_flight: HashMap<String, InFlight>,
    /// Items that a concurrency limit keeps waiting, oldest first.
    parked: Vec<Item>,
}

#[derive(Debug)]
pub(super) struct InFlight {
    pub(super) generation: u32,
    /// The concurrency groups that the call belongs to.
    groups: Vec<String>,
}

impl Calls {
    /// How many calls of a concurrency group are going on.
    pub(super) fn going_on(&self, group: &str) -> usize {
        let calls = self.in_flight.values();
        calls.filter(|call| call.groups.iter().any(|counted| counted == group)).count()
    }

    pub(super) fn park(&mut self, item: Item) {
        self.parked.push(item);
    }

    pub(super) fn begin(&mut self, item: &Item, groups: Vec<String>) {
        let call = InFlight { generation: item.generation, groups };
        self.in_flight.insert(item.job_id.clone(), call);
    }

    /// A call is over. Returns the items that were kept waiting.
    pub(super) fn end(&mut self, item: &Item) -> Vec<Item> {
        self.in_flight.remove(&item.job_id);
        std::mem::take(&mut self.parked)
    }
}
