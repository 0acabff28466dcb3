use serde_json::value::RawValue;

use crate::endpoint::raw_event;
use crate::{Error, Event, EventSet, Result, Step};

/// What a function is given.
///
/// Code outside steps runs again on every call of a run, so it must come to the same steps each time: take
/// times, random values and everything from outside in a step.
#[non_exhaustive]
pub struct Context<'a, E> {
    /// The event that started the run.
    pub event: Event<E>,
    /// Makes steps.
    pub step: Step<'a>,
    /// The run and the attempt.
    pub run: Run<'a>,
    /// What [middleware](crate::middleware) has put there for the function.
    pub extensions: &'a http::Extensions,
    /// All events of the run, unread.
    pub(crate) batch: &'a [&'a RawValue],
}

impl<E: EventSet> Context<'_, E> {
    /// All events of a [batch](crate::Batch), in the order in which the server has them; outside a batch the one event.
    ///
    /// One whose data does not fit makes a final error that names its position.
    pub fn events(&self) -> Result<Vec<Event<E>>> {
        let read = |(index, event): (usize, &&RawValue)| {
            let event = raw_event(event).and_then(|event| event.typed().map_err(|e| e.to_string()));
            event.map_err(|problem| {
                Error::from(format!("event {index} of the batch: {problem}")).no_retry()
            })
        };
        self.batch.iter().enumerate().map(read).collect()
    }
}

/// One attempt of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Run<'a> {
    /// The run's id, a ULID. The same in every call and every attempt of the run.
    pub id: &'a str,
    /// Counts from 0, separately for each step: it is 0 again after each saved step (P-105).
    pub attempt: u32,
    /// How often the server will try; absent when it does not say.
    pub max_attempts: Option<u32>,
    /// The `traceparent` of the call, where it has one: set it on requests of your own to have them in the same trace
    /// (P-040).
    pub traceparent: Option<&'a str>,
}
