//! What looks at every call of an app, or at every call of one function.

mod call;

use bytes::Bytes;

pub use call::{CallInfo, Input, Output};

use crate::{NewEvent, SendError};

/// Looks at calls and events as they pass, and may change them (P-189).
///
/// For a call the hooks come in the order in which they stand here, each once, also when the function panics (P-190):
/// those of the [client](crate::Client::with_middleware) first, then those of the
/// [function](crate::Function::middleware), each in the order in which they were given.
///
/// ```
/// use inngest::middleware::{CallInfo, Input, Middleware};
///
/// /// Which gateway a call has come through; functions find it in `cx.extensions.get::<Gateway>()`.
/// #[derive(Clone)]
/// struct Gateway(String);
///
/// struct NameGateway;
///
/// impl Middleware for NameGateway {
///     fn transform_input(&self, call: &mut CallInfo<'_>, _: &mut Input<'_>) {
///         if let Some(name) = call.request.headers.get("via").and_then(|name| name.to_str().ok()) {
///             call.extensions.insert(Gateway(name.to_owned()));
///         }
///     }
/// }
/// ```
///
/// Where there is middleware, steps are reported one by one and not [checkpointed](crate::Checkpointing), so that no
/// output passes it by.
pub trait Middleware: Send + Sync + 'static {
    /// A call has come in and is trusted. Event and results of steps may be changed, and
    /// [`extensions`](CallInfo::extensions) given to the function.
    fn transform_input(&self, call: &mut CallInfo<'_>, input: &mut Input<'_>) {
        let _ = (call, input);
    }

    /// The function is about to run.
    fn before_execution(&self, call: &mut CallInfo<'_>) {
        let _ = call;
    }

    /// The function has returned, panicked, or waits for its steps.
    fn after_execution(&self, call: &mut CallInfo<'_>) {
        let _ = call;
    }

    /// The function or a step has ended in this call, and is about to be reported to Inngest. Not called when steps were
    /// only found.
    fn transform_output(&self, call: &mut CallInfo<'_>, output: &mut Output<'_>) {
        let _ = (call, output);
    }

    /// The answer is about to be signed and sent.
    fn before_response(&self, call: &mut CallInfo<'_>, response: &mut http::Response<Bytes>) {
        let _ = (call, response);
    }

    /// Events are about to be sent, from a step or otherwise. Only middleware of the client is asked.
    fn before_send(&self, events: &mut Vec<NewEvent>) {
        let _ = events;
    }

    /// Events were sent, or not.
    fn after_send(&self, sent: &Result<Vec<String>, SendError>) {
        let _ = sent;
    }
}
