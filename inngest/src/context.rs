use serde_json::value::RawValue;

use crate::event::RawEvent;
use crate::{Error, Event, EventSet, Result, Run, Step};

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
            let event =
                RawEvent::read(event).and_then(|event| event.typed().map_err(|e| e.to_string()));
            event.map_err(|problem| {
                Error::from(format!("event {index} of the batch: {problem}")).no_retry()
            })
        };
        self.batch.iter().enumerate().map(read).collect()
    }
}
