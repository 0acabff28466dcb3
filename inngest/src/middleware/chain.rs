//! The middleware that looks at one call, or at what a client sends.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use serde_json::value::RawValue;

use super::{CallInfo, Middleware, Payload, PayloadKind, StepInfo};
use crate::replay::Replaying;
use crate::{Error, NewEvent, Result, SendError};

/// The client's middleware, then the function's. What comes in passes them in this order, what goes out in the
/// reverse one.
#[derive(Clone, Copy)]
pub(crate) struct Chain<'a> {
    pub(crate) client: &'a [Arc<dyn Middleware>],
    pub(crate) function: &'a [Arc<dyn Middleware>],
}

impl<'a> Chain<'a> {
    pub(crate) fn on_call(self, call: &mut CallInfo<'_>) {
        self.inwards().for_each(|middleware| middleware.on_call(call));
    }

    fn is_empty(self) -> bool {
        self.client.is_empty() && self.function.is_empty()
    }

    fn inwards(self) -> impl DoubleEndedIterator<Item = &'a dyn Middleware> {
        self.client.iter().chain(self.function).map(|middleware| &**middleware)
    }

    fn outwards(self) -> impl Iterator<Item = &'a dyn Middleware> {
        self.inwards().rev()
    }
}

/// The hooks of one call, or of a client outside calls.
#[derive(Clone, Copy)]
pub(crate) struct Hooks<'a> {
    pub(crate) chain: Chain<'a>,
    pub(crate) call: Option<&'a CallInfo<'a>>,
}

impl Hooks<'_> {
    pub(crate) const NONE: Self = Self { chain: Chain { client: &[], function: &[] }, call: None };

    pub(crate) fn is_empty(self) -> bool {
        self.chain.is_empty()
    }

    /// What comes in, where it was changed.
    pub(crate) fn incoming(
        self,
        kind: PayloadKind<'_>,
        json: &RawValue,
    ) -> Result<Option<Box<RawValue>>> {
        pass(self.chain.inwards(), self.call, kind, json, |middleware, payload| {
            middleware.incoming(payload)
        })
        .map_err(|error| error.within(format_args!("{kind} cannot be read")))
    }

    /// What goes out, where it was changed.
    pub(crate) fn outgoing(
        self,
        kind: PayloadKind<'_>,
        json: &RawValue,
    ) -> Result<Option<Box<RawValue>>> {
        pass(self.chain.outwards(), self.call, kind, json, |middleware, payload| {
            middleware.outgoing(payload)
        })
        .map_err(|error| error.within(format_args!("{kind} cannot be sent")))
    }

    /// The same for JSON that was parsed.
    pub(crate) fn outgoing_value(self, kind: PayloadKind<'_>, value: &mut Value) -> Result<()> {
        if self.is_empty() {
            return Ok(());
        }
        let json = serde_json::value::to_raw_value(value)?;
        if let Some(changed) = self.outgoing(kind, &json)? {
            *value = serde_json::from_str(changed.get())?;
        }
        Ok(())
    }

    /// An error of the function or of a step, on its way out.
    pub(crate) fn outgoing_error(self, step: Option<&str>, mut error: Error) -> Error {
        let Some(call) = self.call.filter(|_| !self.is_empty()) else { return error };
        if let Some(mut data) = error.data().cloned() {
            match self.outgoing_value(PayloadKind::ErrorData { step }, &mut data) {
                Ok(()) => error = error.with_data(data),
                // Nothing of the data, nor of what was wrong with it beyond the hook's own words.
                Err(withheld) => return withheld.with_retry(error.retry()),
            }
        }
        self.chain.outwards().for_each(|middleware| {
            middleware.transform_error(call, step, &mut error);
        });
        error
    }

    /// The data of an error, on its way in.
    pub(crate) fn incoming_error_data(
        self,
        step: Option<&str>,
        data: Option<Value>,
    ) -> Result<Option<Value>> {
        let (Some(came), false) = (&data, self.is_empty()) else { return Ok(data) };
        let json = serde_json::value::to_raw_value(came)?;
        match self.incoming(PayloadKind::ErrorData { step }, &json)? {
            Some(changed) => Ok(Some(serde_json::from_str(changed.get())?)),
            None => Ok(data),
        }
    }

    pub(crate) fn before_execution(self) {
        self.inwards(Middleware::before_execution);
    }

    pub(crate) fn after_execution(self) {
        self.outwards(Middleware::after_execution);
    }

    pub(crate) fn before_step(self, step: &StepInfo<'_>) {
        self.inwards(|middleware, call| middleware.before_step(call, step));
    }

    /// Reports how a step has ended.
    pub(crate) fn step_ended(self, step: &StepInfo<'_>, error: Option<&Error>, took: Duration) {
        self.outwards(|middleware, call| match error {
            None => middleware.after_step(call, step, took),
            Some(error) => middleware.on_step_error(call, step, error, took),
        });
    }

    pub(crate) fn before_response(self, response: &mut http::Response<Bytes>) {
        self.outwards(|middleware, call| middleware.before_response(call, response));
    }

    pub(crate) fn before_send(self, events: &mut Vec<NewEvent>) {
        self.chain.outwards().for_each(|middleware| middleware.before_send(events));
    }

    pub(crate) fn after_send(self, sent: &Result<Vec<String>, SendError>) {
        self.chain.inwards().for_each(|middleware| middleware.after_send(sent));
    }

    fn inwards(self, hook: impl FnMut(&dyn Middleware, &CallInfo<'_>)) {
        self.each(self.chain.inwards(), hook);
    }

    fn outwards(self, hook: impl FnMut(&dyn Middleware, &CallInfo<'_>)) {
        self.each(self.chain.outwards(), hook);
    }

    fn each<'m>(
        self,
        middleware: impl Iterator<Item = &'m dyn Middleware>,
        mut hook: impl FnMut(&dyn Middleware, &CallInfo<'_>),
    ) {
        let Some(call) = self.call else { return };
        // What a hook logs was not logged in an earlier call.
        let _now = Replaying::set(false);
        middleware.for_each(|middleware| hook(middleware, call));
    }
}

fn pass<'m>(
    middleware: impl Iterator<Item = &'m dyn Middleware>,
    call: Option<&CallInfo<'_>>,
    kind: PayloadKind<'_>,
    json: &RawValue,
    hook: impl Fn(&dyn Middleware, &mut Payload<'_>) -> Result<()>,
) -> Result<Option<Box<RawValue>>> {
    let mut payload = Payload::new(kind, call, json);
    for middleware in middleware {
        hook(middleware, &mut payload)?;
    }
    Ok(payload.replaced())
}
