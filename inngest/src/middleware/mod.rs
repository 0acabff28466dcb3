//! What looks at every call of an app, or at every call of one function.
//!
//! # What passes
//!
//! Everything that leaves the app as JSON passes [`Middleware::outgoing`], and comes back through
//! [`Middleware::incoming`]: the two undo each other.
//!
//! | [`PayloadKind`] | leaves | comes in |
//! |---|---|---|
//! | `Event` | events that a client or a step sends | the events of the run, awaited events, the events of a failed run |
//! | `Step` | results of steps, in the answer or in a checkpoint | results of earlier calls, of this one, of invocations |
//! | `StepInput` | what `run_with` gives to its code | what a person has written in its place |
//! | `Output` | what the function returns | as the `Step` of the function that invoked it |
//! | `ErrorData` | data of errors | data of a [`StepError`](crate::StepError), of a [`FailureCause`](crate::FailureCause) |
//! | `Invoke` | data of an invocation | as the `Event` of the function that is invoked |
//! | `Signal` | data of signals | data of the signal that a step has waited for |
//! | `Fetch`, `Infer` | bodies of requests that the server makes | the answer, as a `Step` |
//!
//! What a function is called for, and how, does not depend on middleware.

mod call;
mod chain;
#[cfg(feature = "encryption")]
mod encryption;
mod payload;

use std::time::Duration;

use bytes::Bytes;

pub use call::{CallInfo, StepInfo};
pub(crate) use chain::{Chain, Hooks};
#[cfg(feature = "encryption")]
pub use encryption::{Encryption, WeakKey};
pub use payload::{Payload, PayloadKind};

use crate::{Error, NewEvent, Result, SendError};

/// Looks at calls and payloads as they pass, and may change them (P-189).
///
/// There is middleware of the [client](crate::Client::with_middleware), for all that passes through it, and of a
/// [function](crate::Function::middleware), for its own calls and for what its steps send. What comes in passes that of
/// the client first, then that of the function, each in the order in which they were given; what goes out passes them
/// in the reverse order (P-190). So of two that change the same, the first given is the outermost.
///
/// ```
/// use inngest::middleware::{CallInfo, Middleware, Payload, PayloadKind};
/// use serde_json::value::{RawValue, to_raw_value};
///
/// /// Which gateway a call has come through; functions find it in `cx.extensions.get::<Gateway>()`.
/// #[derive(Clone)]
/// struct Gateway(String);
///
/// struct NameGateway;
///
/// impl Middleware for NameGateway {
///     fn on_call(&self, call: &mut CallInfo<'_>) {
///         if let Some(name) = call.request.headers.get("via").and_then(|name| name.to_str().ok()) {
///             call.extensions.insert(Gateway(name.to_owned()));
///         }
///     }
/// }
///
/// /// Saves the results of steps in a wrapper.
/// struct Wrap;
///
/// impl Middleware for Wrap {
///     fn outgoing(&self, payload: &mut Payload<'_>) -> inngest::Result<()> {
///         if let PayloadKind::Step { .. } = payload.kind {
///             payload.replace(to_raw_value(&[payload.json()])?);
///         }
///         Ok(())
///     }
///
///     fn incoming(&self, payload: &mut Payload<'_>) -> inngest::Result<()> {
///         // What was saved before there was middleware is left as it is.
///         if let PayloadKind::Step { .. } = payload.kind
///             && let Ok([inner]) = serde_json::from_str::<[Box<RawValue>; 1]>(payload.json().get())
///         {
///             payload.replace(inner);
///         }
///         Ok(())
///     }
/// }
/// ```
pub trait Middleware: Send + Sync + 'static {
    /// A call has come in and is trusted. It may be given [`extensions`](CallInfo::extensions).
    fn on_call(&self, call: &mut CallInfo<'_>) {
        let _ = call;
    }

    /// JSON comes in, and is about to be read. See [what passes](crate::middleware#what-passes).
    ///
    /// A result of a step passes when the function comes to that step. An error ends the call, and the run where the
    /// error is final.
    fn incoming(&self, payload: &mut Payload<'_>) -> Result<()> {
        let _ = payload;
        Ok(())
    }

    /// JSON is about to leave. See [what passes](crate::middleware#what-passes).
    ///
    /// With an error nothing leaves: the step, the call or the sending fails with it.
    fn outgoing(&self, payload: &mut Payload<'_>) -> Result<()> {
        let _ = payload;
        Ok(())
    }

    /// The function is about to run.
    fn before_execution(&self, call: &CallInfo<'_>) {
        let _ = call;
    }

    /// The function has returned, panicked, or waits for its steps.
    fn after_execution(&self, call: &CallInfo<'_>) {
        let _ = call;
    }

    /// The code of a step is about to run. What the server does by itself, such as a sleep, has no code.
    fn before_step(&self, call: &CallInfo<'_>, step: &StepInfo<'_>) {
        let _ = (call, step);
    }

    /// The code of a step has run well, and its result is about to be saved.
    fn after_step(&self, call: &CallInfo<'_>, step: &StepInfo<'_>, took: Duration) {
        let _ = (call, step, took);
    }

    /// The code of a step has failed: with an error, by a panic, because its result cannot be saved, or because it was
    /// dropped. [`Error::retry`] says whether the step is tried again while attempts remain.
    fn on_step_error(
        &self,
        call: &CallInfo<'_>,
        step: &StepInfo<'_>,
        error: &Error,
        took: Duration,
    ) {
        let _ = (call, step, error, took);
    }

    /// An error of the function, or of a step, is about to leave. Its data has passed [`outgoing`](Self::outgoing).
    fn transform_error(&self, call: &CallInfo<'_>, step: Option<&str>, error: &mut Error) {
        let _ = (call, step, error);
    }

    /// The answer is about to be signed and sent.
    fn before_response(&self, call: &CallInfo<'_>, response: &mut http::Response<Bytes>) {
        let _ = (call, response);
    }

    /// Events are about to be sent, from a step or otherwise. The data of each passes [`outgoing`](Self::outgoing)
    /// next.
    fn before_send(&self, events: &mut Vec<NewEvent>) {
        let _ = events;
    }

    /// Events were sent, or not.
    fn after_send(&self, sent: &Result<Vec<String>, SendError>) {
        let _ = sent;
    }
}
