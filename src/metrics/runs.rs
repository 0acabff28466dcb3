use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use inngest::middleware::{CallInfo, Middleware, Payload, PayloadKind, StepInfo};
use inngest::{Error, Retry};

use super::durations::{Durations, Timer};

/// Measures the calls that Inngest makes, and the steps whose code runs in them.
pub(crate) struct MeasureRuns {
    pub(super) calls: Durations,
    pub(super) steps: Durations,
}

/// A call under way: since when, and how its function has ended, where it has.
#[derive(Clone)]
struct CallUnderWay(Arc<Mutex<(Option<Timer>, Option<&'static str>)>>);

impl CallUnderWay {
    fn function_ended(info: &CallInfo<'_>, outcome: &'static str) {
        if let Some(Self(call)) = info.extensions.get() {
            call.lock().unwrap_or_else(PoisonError::into_inner).1 = Some(outcome);
        }
    }
}

impl Middleware for MeasureRuns {
    fn on_call(&self, call: &mut CallInfo<'_>) {
        let function = Cow::Owned(call.function_id.to_owned());
        let timer = self.calls.begin([("function", function)]);
        call.extensions.insert(CallUnderWay(Arc::new(Mutex::new((Some(timer), None)))));
    }

    fn outgoing(&self, payload: &mut Payload<'_>) -> inngest::Result<()> {
        if let (PayloadKind::Output, Some(call)) = (payload.kind, payload.call) {
            CallUnderWay::function_ended(call, "completed");
        }
        Ok(())
    }

    fn transform_error(&self, call: &CallInfo<'_>, step: Option<&str>, error: &mut Error) {
        if step.is_none() {
            CallUnderWay::function_ended(call, outcome_of(error));
        }
    }

    fn after_step(&self, call: &CallInfo<'_>, step: &StepInfo<'_>, took: Duration) {
        self.step(call, step, "completed", took);
    }

    fn on_step_error(
        &self,
        call: &CallInfo<'_>,
        step: &StepInfo<'_>,
        error: &Error,
        took: Duration,
    ) {
        self.step(call, step, outcome_of(error), took);
    }

    fn before_response(&self, call: &CallInfo<'_>, response: &mut http::Response<Bytes>) {
        let Some(CallUnderWay(under_way)) = call.extensions.get() else { return };
        let mut under_way = under_way.lock().unwrap_or_else(PoisonError::into_inner);
        let unread = !response.status().is_success();
        let outcome = match under_way.1 {
            Some(outcome) => outcome,
            None if unread => "failed",
            None => "continues",
        };
        if let Some(timer) = under_way.0.take() {
            timer.ends(outcome);
        }
    }
}

impl MeasureRuns {
    fn step(
        &self,
        call: &CallInfo<'_>,
        step: &StepInfo<'_>,
        outcome: &'static str,
        took: Duration,
    ) {
        let (function, step) = (call.function_id.to_owned(), step.id.to_owned());
        let labels = vec![("function", function.into()), ("step", step.into())];
        self.steps.took(labels, outcome, took);
    }
}

/// One that no attempt mends, or one that the next attempt may not have.
fn outcome_of(error: &Error) -> &'static str {
    if error.retry() == Retry::Never { "failed_finally" } else { "failed" }
}
