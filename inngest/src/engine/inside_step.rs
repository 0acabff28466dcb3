//! The code of a step while it runs.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use serde_json::value::RawValue;
use tracing::Span;

use super::call_state::CallState;
use crate::Error;
use crate::replay::Replaying;

/// Polls a step's code: marks that we are inside it and its span, and turns a panic into an error of the step.
pub(super) struct InsideStep<'a, 'p, F> {
    call: &'a CallState<'a>,
    span: Span,
    code: Pin<&'p mut F>,
}

impl<'a, 'p, F> InsideStep<'a, 'p, F> {
    pub(super) fn new(call: &'a CallState<'a>, span: Span, code: Pin<&'p mut F>) -> Self {
        Self { call, span, code }
    }
}

impl<F: Future<Output = Result<Box<RawValue>, Error>>> Future for InsideStep<'_, '_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let _running = Replaying::set(false);
        let span = self.span.clone();
        let _inside = span.enter();
        self.call.slots().inside_step = true;
        let polled = catch_unwind(AssertUnwindSafe(|| self.code.as_mut().poll(cx)));
        self.call.slots().inside_step = false;
        polled.unwrap_or_else(|panic| Poll::Ready(Err(Error::from(panic_message(&*panic)))))
    }
}

/// The text of a panic, where it has one.
pub(super) fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("panicked: {}", text.unwrap_or("no message"))
}
