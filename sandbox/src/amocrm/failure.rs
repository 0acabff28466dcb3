use std::time::Duration;

use axum::response::Response;
use serde_json::Value;

use super::answers;

/// What amoCRM does in place of answering a request as it should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AmoCrmFailure {
    /// HTTP 429 as a page of HTML, with `Retry-After` where given.
    TooManyRequests {
        /// Seconds.
        retry_after: Option<u64>,
    },
    /// HTTP 403 as a page of HTML: the account's API is blocked.
    Blocked,
    /// Any status and body, before anything is done.
    Answer {
        /// The HTTP status.
        status: u16,
        /// The body.
        body: String,
    },
    /// A redirect to this address.
    Redirect(String),
    /// No answer, and nothing is done.
    Hang,
    /// No answer, after everything was done: a refresh token is spent.
    ActThenHang,
    /// HTTP 502 after everything was done.
    ActThenBadGateway,
    /// Everything is done, and the answer of the token endpoint arrives with these members in place of its own.
    Altered(Value),
    /// Everything is done, and this arrives with status 200.
    ActThenAnswer(String),
    /// The right answer, late.
    Slow(Duration),
}

/// When and how an answer is given.
pub(super) enum Timing {
    Now(Response),
    Late(Response, Duration),
    Never,
}

/// What comes of a request that `act` would answer.
pub(super) fn timing(failure: Option<AmoCrmFailure>, act: impl FnOnce() -> Response) -> Timing {
    match failure {
        // The token endpoint alters its answer itself.
        None | Some(AmoCrmFailure::Altered(_)) => Timing::Now(act()),
        Some(AmoCrmFailure::TooManyRequests { retry_after }) => {
            Timing::Now(answers::too_many_requests(retry_after))
        }
        Some(AmoCrmFailure::Blocked) => Timing::Now(answers::page(403, "<h1>403 Forbidden</h1>")),
        Some(AmoCrmFailure::Answer { status, body }) => Timing::Now(answers::page(status, &body)),
        Some(AmoCrmFailure::Redirect(target)) => Timing::Now(answers::redirect(&target)),
        Some(AmoCrmFailure::Hang) => Timing::Never,
        Some(AmoCrmFailure::ActThenHang) => {
            drop(act());
            Timing::Never
        }
        Some(AmoCrmFailure::ActThenBadGateway) => {
            drop(act());
            Timing::Now(answers::page(502, "<h1>502 Bad Gateway</h1>"))
        }
        Some(AmoCrmFailure::ActThenAnswer(body)) => {
            drop(act());
            Timing::Now(answers::page(200, &body))
        }
        Some(AmoCrmFailure::Slow(delay)) => Timing::Late(act(), delay),
    }
}
