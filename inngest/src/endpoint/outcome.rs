//! What a call came to, as an answer.

use http::StatusCode;

use super::fit::operations;
use super::reply::Reply;
use crate::engine::{Dispatch, Executed, Op, Outcome, StepNotFound};
use crate::{Error, spans};

/// Puts an outcome into the words of the protocol (P-115..P-120), in at most so many bytes.
pub(super) fn answer(outcome: Outcome, dispatch: &Dispatch, most: usize) -> Reply {
    match outcome {
        Outcome::Finished(Ok(output)) => {
            tracing::debug!("the run is complete");
            // Nothing that speaks of retries: the server would take success for failure (P-006).
            Reply::raw(StatusCode::OK, String::from(Box::<str>::from(output)))
        }
        Outcome::Finished(Err(error)) => {
            tracing::warn!(%error, retry = ?error.retry(), "the function failed");
            spans::function_failed(&error.to_string());
            Reply::of_error(&error)
        }
        Outcome::Panicked(message) => {
            tracing::error!(message, "the function panicked");
            spans::function_failed(&message);
            Reply::retriable(&message)
        }
        Outcome::Executed(executed) => ran(&[executed]),
        Outcome::Unsaved(steps) => ran(&steps),
        Outcome::Found(found) => match operations(&found, most) {
            Ok(operations) => Reply::raw(StatusCode::PARTIAL_CONTENT, operations),
            Err(unsendable) => ran(&[*unsendable]),
        },
        Outcome::Stale => {
            tracing::warn!("another call has taken this one's place");
            let text = "the server has given the work of this call to another one";
            Reply::of_error(&Error::from(text).no_retry())
        }
        Outcome::TargetMissing(found) => {
            let requested = dispatch.target.as_deref().unwrap_or_default();
            tracing::warn!(requested, "the function has no such step; did its code change?");
            Reply::json(StatusCode::INTERNAL_SERVER_ERROR, &StepNotFound::new(requested, &found))
                .no_retry(false)
        }
    }
}

/// Steps that have run, one after the other; only the last may have failed.
fn ran(steps: &[Executed]) -> Reply {
    let ops: Vec<_> = steps.iter().map(Op::executed).collect();
    let mut reply = Reply::json(StatusCode::PARTIAL_CONTENT, &ops);
    for executed in steps {
        let step = &*executed.step.id;
        match &executed.result {
            Ok(_) => tracing::debug!(step, "the step is done"),
            Err(error) => {
                tracing::warn!(step, %error, retry = ?error.retry(), "the step failed");
                reply = reply.retry(error.retry());
            }
        }
    }
    reply
}
