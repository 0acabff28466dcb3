//! Spans: one for each call, and within it one for each step whose code runs. The guide says what they hold.

use std::time::Duration;

use http::HeaderMap;
use tracing::Span;
use tracing::field::Empty;

use crate::middleware::StepInfo;
use crate::replay::Replaying;
use crate::{Error, Retry, Run};

#[cfg(feature = "otel")]
mod otel;

/// The span of a call. It goes on with the trace that the server has begun, which its headers name.
pub(crate) fn of_call(function: &str, run_id: &str, attempt: u32, headers: &HeaderMap) -> Span {
    let span = tracing::info_span!(
        target: "inngest::call",
        "call",
        function,
        run_id,
        attempt,
        otel.name = Empty,
        otel.kind = Empty,
    );
    #[cfg(feature = "otel")]
    otel::begin_call(&span, function, headers);
    #[cfg(not(feature = "otel"))]
    let _ = headers;
    span
}

/// Notes in the span of a call that its function has failed.
pub(crate) fn function_failed(why: &str) {
    #[cfg(feature = "otel")]
    otel::failed(&Span::current(), why);
    #[cfg(not(feature = "otel"))]
    let _ = why;
}

/// The span of a step's code. It names the call's function and run too: some logs show the innermost span alone.
pub(crate) fn of_step(function: &str, run: Run<'_>, step: &StepInfo<'_>) -> Span {
    // A filter that leaves out what was logged before must not leave this out.
    let _now = Replaying::set(false);
    let span = tracing::info_span!(
        target: "inngest::step",
        "step",
        function,
        run_id = run.id,
        step = step.id,
        attempt = run.attempt,
        outcome = Empty,
        duration_ms = Empty,
        otel.name = Empty,
    );
    #[cfg(feature = "otel")]
    span.record("otel.name", step.id);
    span
}

/// Notes what came of a step's code, with the error as it leaves the app.
pub(crate) fn step_ended(span: &Span, dropped: bool, error: Option<&Error>, took: Duration) {
    let outcome = match error {
        None => "completed",
        Some(_) if dropped => "dropped",
        Some(error) if error.retry() == Retry::Never => "failed_finally",
        Some(_) => "failed",
    };
    span.record("outcome", outcome);
    span.record("duration_ms", u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
    #[cfg(feature = "otel")]
    if let Some(error) = error {
        otel::failed(span, &error.to_string());
    }
}
