//! What an answer to events means. Much stands between an app and Inngest, and answers in its place.

use std::time::SystemTime;

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Deserialize;

use super::retry_after;
use crate::SendError;

/// More of an error than this is no help; in characters.
const LONGEST_SAYING: usize = 300;

#[derive(Deserialize, Default)]
#[serde(default)]
struct Body {
    status: u16,
    ids: Option<Vec<String>>,
    error: String,
    message: String,
}

impl Body {
    /// The events that were accepted, from the first one on. The server fills the list up with an empty text where it
    /// has no id (P-174).
    fn accepted(&self) -> Vec<String> {
        let ids = self.ids.iter().flatten();
        ids.take_while(|id| !id.is_empty()).cloned().collect()
    }

    /// What was said, in one line, without anything of `secrets`: a server in between may quote the path.
    fn said(&self, secrets: &[&str]) -> Option<String> {
        let text = [&self.error, &self.message].into_iter().find(|text| !text.is_empty())?;
        let quotes = secrets.iter().any(|secret| text.contains(secret));
        let line = text.chars().map(|c| if c.is_control() { ' ' } else { c });
        (!quotes).then(|| line.take(LONGEST_SAYING).collect())
    }
}

/// The ids of `expected` events, or why they are not known to be accepted.
pub(super) fn judge(
    answer: &Response<Bytes>,
    expected: usize,
    now: SystemTime,
    secrets: &[&str],
) -> Result<Vec<String>, SendError> {
    let (status, code) = (answer.status(), answer.status().as_u16());
    let body: Body = serde_json::from_slice(answer.body()).unwrap_or_default();
    let accepted = body.accepted();
    // An answer without ids means that nothing was stored, whatever its status says (P-018).
    if status.is_success() && body.ids.is_some() && accepted.len() == expected {
        return Ok(accepted);
    }
    let said = body.said(secrets);
    let own = body.status == code && !body.error.is_empty();
    let message = || said.clone().unwrap_or_else(|| "no reason given".to_owned());
    // Cloud says 404 of a key that it does not know.
    let unauthorized =
        || SendError::Unauthorized { status: code, message: message(), accepted: Vec::new() };
    let about_the_key = body.error.to_ascii_lowercase().contains("event key");
    match code {
        401 | 403 if own || about_the_key => Err(unauthorized()),
        404 if about_the_key => Err(unauthorized()),
        400 | 413 if own && body.ids.is_some() => {
            Err(SendError::Refused { status: code, message: message(), accepted })
        }
        _ => Err(SendError::Unavailable {
            status: Some(code),
            reason: reason(status, said.as_deref(), accepted.len(), expected),
            retry_after: retry_after(answer.headers(), now),
            // A refusal that is not the server's own says nothing of the events.
            accepted: if status.is_success() { accepted } else { Vec::new() },
        }),
    }
}

/// What happened, and what a person can do about it.
fn reason(status: StatusCode, said: Option<&str>, accepted: usize, expected: usize) -> String {
    let what = match (status.is_success(), said) {
        (true, _) => format!("HTTP {status} with {accepted} ids for {expected} events"),
        (false, Some(said)) => format!("HTTP {status}: {said}"),
        (false, None) => format!("HTTP {status}"),
    };
    let advice = match status.as_u16() {
        200..=299 => {
            "not how Inngest takes events; check INNGEST_BASE_URL and INNGEST_EVENT_API_BASE_URL"
        }
        300..=399 => {
            "redirects are not followed, as the request carries a key; set INNGEST_BASE_URL (or \
             INNGEST_EVENT_API_BASE_URL) to the address that this one leads to"
        }
        401 | 403 | 407 => {
            "not Inngest's own words: a proxy or firewall before it keeps this app out; let it through"
        }
        413 => {
            "the request is too large for what stands before Inngest; let it take 4 MiB (nginx: \
             client_max_body_size)"
        }
        408 | 429 | 500..=599 => return what,
        _ => {
            "not how Inngest refuses an event; check INNGEST_BASE_URL, INNGEST_EVENT_API_BASE_URL, \
             INNGEST_ENV and what stands before Inngest"
        }
    };
    format!("{what}; {advice}")
}
