//! What the server reports to its subscribers, as it happens.

use std::time::Duration;

use serde_json::Value;

/// One thing that happened. Values are as the SDK sent them.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Observation {
    /// An app registered its functions, and something about them changed.
    AppSynced {
        /// `appName` of the registration.
        app: String,
        /// The ids of all its functions.
        functions: Vec<String>,
        /// Settings that were accepted but that this server does not enforce, as `<function>.<setting>`.
        not_enforced: Vec<String>,
    },
    /// An event was accepted, from outside or from the server itself (`inngest/function.failed`).
    EventReceived {
        /// The internal id (a ULID), as the event API answered it.
        id: String,
        /// The event's name.
        name: String,
        /// The event's data.
        data: Value,
    },
    /// An event was matched to a function and starts no run: one was started for the same event id within 24 hours, a
    /// rate limit is reached, or the function runs once at a time.
    RunSkipped {
        /// The function that is not run again.
        function_id: String,
        /// The internal id of the event that was ignored.
        event_id: String,
    },
    /// A function begins to work on an event.
    RunStarted {
        /// The new run.
        run_id: String,
        /// Id of the function, as registered.
        function_id: String,
        /// The internal id of the event.
        event_id: String,
    },
    /// The server called the SDK.
    CallMade {
        /// The run that is worked on.
        run_id: String,
        /// Id of the function, as registered.
        function_id: String,
        /// `step` for a discovery, else the hash of the planned step.
        step_id: String,
        /// Zero-based attempt of this queue item.
        attempt: u32,
    },
    /// The SDK answered, or could not be reached.
    CallAnswered {
        /// The run that is worked on.
        run_id: String,
        /// Id of the function, as registered.
        function_id: String,
        /// `step` for a discovery, else the hash of the planned step.
        step_id: String,
        /// Zero-based attempt of this queue item.
        attempt: u32,
        /// The HTTP status; `None` when there was no answer.
        status: Option<u16>,
        /// The reply's body where it is JSON, else its text; why there was none otherwise.
        body: Value,
    },
    /// A step has its final result.
    StepFinished {
        /// The run the step belongs to.
        run_id: String,
        /// Id of the function, as registered.
        function_id: String,
        /// The step's hash.
        step_id: String,
        /// The step's display name.
        name: String,
        /// The data it returned (`null` for a sleep), or the error object that the function will see.
        result: Result<Value, Value>,
        /// Zero-based attempt that brought the result.
        attempt: u32,
    },
    /// A sleep began.
    SleepStarted {
        /// The run that sleeps.
        run_id: String,
        /// Id of the function, as registered.
        function_id: String,
        /// The step's display name.
        name: String,
        /// For how long.
        duration: Duration,
    },
    /// A step began to wait for an event, a signal or the function that it invoked.
    WaitStarted {
        /// The run that waits.
        run_id: String,
        /// Id of the function, as registered.
        function_id: String,
        /// The step's display name.
        name: String,
        /// For how long at most.
        timeout: Duration,
    },
    /// The SDK sent an op that this server does not carry out.
    OpIgnored {
        /// The run that is worked on.
        run_id: String,
        /// Id of the function, as registered.
        function_id: String,
        /// The opcode.
        op: String,
    },
    /// A step or the function itself failed and will be tried again.
    RetryScheduled {
        /// The run that is worked on.
        run_id: String,
        /// Id of the function, as registered.
        function_id: String,
        /// Display name of the failed step; `None` when the function or the call failed.
        step: Option<String>,
        /// Zero-based number of the attempt to come.
        attempt: u32,
        /// How long the server waits before it.
        after: Duration,
        /// What went wrong.
        error: Value,
    },
    /// A run ended well.
    RunCompleted {
        /// The run.
        run_id: String,
        /// Id of the function, as registered.
        function_id: String,
        /// What the function returned.
        output: Value,
    },
    /// A run was cancelled.
    RunCancelled {
        /// The run.
        run_id: String,
        /// Id of the function, as registered.
        function_id: String,
    },
    /// A run failed, without another retry.
    RunFailed {
        /// The run.
        run_id: String,
        /// Id of the function, as registered.
        function_id: String,
        /// The error object.
        output: Value,
    },
}
