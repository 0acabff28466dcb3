use crate::{Event, Step};

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
}
