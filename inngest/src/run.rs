/// One attempt of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Run<'a> {
    /// The run's id, a ULID. The same in every call and every attempt of the run.
    pub id: &'a str,
    /// How often the server has called before for what it calls for now, also in vain: it counts deliveries, not failures
    /// of a step. It is 0 again after each saved step (P-105).
    pub attempt: u32,
    /// How often the server will try; absent when it does not say.
    pub max_attempts: Option<u32>,
    /// The `traceparent` of the call, where it has one: set it on requests of your own to have them in the same trace
    /// (P-040).
    pub traceparent: Option<&'a str>,
}
