//! Code that is started for a call, whatever its types are.

use std::sync::Arc;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::engine::{CallState, FunctionFuture};
use crate::raw_event::RawEvent;
use crate::{Error, Result, json};

/// What a call gives to its function.
pub(crate) struct Given<'a> {
    pub(crate) event: RawEvent<'a>,
    pub(crate) events: &'a [&'a RawValue],
    pub(crate) extensions: &'a http::Extensions,
}

/// Code that can be started for a call.
pub(super) trait Start: Send + Sync {
    fn start<'a>(&'a self, call: &'a CallState<'a>, given: Given<'a>) -> FunctionFuture<'a>;
}

/// Code without its types.
pub struct Code(pub(super) Box<dyn Start>);

/// What can stand for [`Function::OnFailure`](crate::Function::OnFailure): the function itself, where it is
/// [`OnFailure`](crate::OnFailure), or `()`.
#[diagnostic::on_unimplemented(
    message = "`type OnFailure` is `Self`, where the function is `OnFailure`, or `()`"
)]
pub trait FailureHandler<F> {
    /// The handler without its types.
    #[doc(hidden)]
    fn of(function: &Arc<F>) -> Option<Code>;
}

/// What a function returns, as the server stores it.
pub(crate) fn write_output(output: &impl Serialize) -> Result<Box<RawValue>> {
    json::function_result(output).map_err(|reason| {
        Error::from(format!("the function's result cannot be sent: {reason}")).no_retry()
    })
}
