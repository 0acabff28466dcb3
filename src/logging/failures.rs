use std::time::Duration;

use inngest::middleware::{CallInfo, Middleware, StepInfo};
use inngest::{Error, Retry};

/// Logs each step and each function that fails. Not why: the words of amoCRM and the ERP may quote a deal, and
/// `prometei-flow deals` has them.
pub(crate) struct LogFailures;

impl Middleware for LogFailures {
    fn on_step_error(&self, _: &CallInfo<'_>, _: &StepInfo<'_>, error: &Error, took: Duration) {
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        tracing::warn!(
            error = error.name(),
            is_final = is_final(error),
            took_ms,
            "a step has failed"
        );
    }

    fn transform_error(&self, _: &CallInfo<'_>, step: Option<&str>, error: &mut Error) {
        if step.is_none() {
            tracing::warn!(
                error = error.name(),
                is_final = is_final(error),
                "a function has failed"
            );
        }
    }
}

/// Whether Inngest tries it no more.
fn is_final(error: &Error) -> bool {
    error.retry() == Retry::Never
}
