//! What an answer of the ERP means, by one question: can the record be there?
//!
//! The status cannot tell. The API itself answers refusals with 200 or 500, and what stands before it answers with any
//! status after the record was stored: Apache says 503 both when PHP-FPM is down and when its worker was killed after the
//! insert, nginx turns a 500 into a 404, 405 or 302 where an `error_page` says so, and mod_security hides one behind a 403
//! (`tests/response/servers.rs` has what they answered). So only two things are certain: what the API itself says in its own
//! form, and a request that never left. Everything else leaves the outcome open.

mod content;
mod refusal;

use std::time::Duration;

use serde_json::{Value, json};

use super::error::ErpError;
use super::settings::Body;
use crate::outbound::Redactor;
use content::Content;

/// An HTTP response, as far as its meaning goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Response<'a> {
    pub(super) status: u16,
    pub(super) retry_after: Option<Duration>,
    pub(super) body: &'a [u8],
    /// Whether `body` is all of it.
    pub(super) complete: bool,
    /// How the request was encoded.
    pub(super) sent_as: Body,
}

/// What came of a call, whatever it asked for.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Outcome {
    /// It was done: the API's reply.
    Done(Value),
    /// It was certainly not done.
    Failed(ErpError),
    /// It was done, or not.
    Unknown { reason: String, retry_after: Option<Duration> },
}

/// What came of an insert that has not failed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Insertion {
    /// The record was created.
    Created {
        /// The ERP's id of it.
        id: String,
        /// The ERP's reply, verbatim.
        reply: Value,
    },
    /// Nothing was created: a record with the same unique value exists.
    AlreadyExists {
        /// The unique fields that the ERP named, by their bare numbers.
        fields: Vec<String>,
    },
    /// The record may have been created, or not. Sent again blindly, there may be two.
    Unknown {
        /// What happened.
        reason: String,
    },
}

impl Response<'_> {
    pub(super) fn outcome(&self, redactor: &Redactor) -> Outcome {
        let retry_after = self.retry_after;
        match self.complete.then(|| Content::of(self.body)).flatten() {
            Some(Content::Success(reply)) => Outcome::Done(reply),
            Some(Content::Refusal { code, message }) => {
                let shown = if message.is_empty() { &code } else { &message };
                refusal::outcome(self, &code, &message, redactor.excerpt(shown.as_bytes()))
            }
            Some(Content::TextualRefusal) => {
                Outcome::Failed(ErpError::NoAccess { message: redactor.excerpt(self.body) })
            }
            Some(Content::NoDatabase) => {
                let reason = format!("it has no database: {}", redactor.excerpt(self.body));
                Outcome::Failed(ErpError::Unavailable { reason, retry_after })
            }
            None => Outcome::Unknown { reason: self.unclear(redactor), retry_after },
        }
    }

    /// What leaves the outcome open, and what usually brings it.
    fn unclear(&self, redactor: &Redactor) -> String {
        let Self { status, complete, .. } = *self;
        let page = redactor.excerpt(self.body);
        let answer = match page.as_str() {
            _ if !complete => format!("the answer (HTTP {status}) broke off"),
            "" => format!("HTTP {status} without a body"),
            page => format!("HTTP {status}, \"{page}\""),
        };
        let hint = match status {
            500 if complete && page.is_empty() => {
                "the ERP broke down; Rukovoditel 3.6 also answers so to a wrong username or password"
            }
            300..=399 => {
                "redirects are not followed: CRM_API_URL has to be the full address of api/rest.php"
            }
            404 | 405 | 410 => "check CRM_API_URL, the full address of api/rest.php",
            401 | 403 => {
                "check what stands before the ERP: a login, a firewall, a list of addresses"
            }
            _ => return answer,
        };
        format!("{answer} ({hint})")
    }
}

impl Insertion {
    /// What the `reply` to an insert says.
    pub(super) fn of(reply: Value, redactor: &Redactor) -> Self {
        let data = reply.get("data").unwrap_or(&Value::Null);
        let id = data.get("id").unwrap_or(&Value::Null);
        if let Some(id) = record_id(id) {
            return Self::Created { id, reply };
        }
        let warnings = data.get("unique_fields_warning").and_then(Value::as_array);
        match warnings {
            Some(warnings) if !warnings.is_empty() && is_blank(id) => {
                let field = |warning: &Value| text_of(warning.get("id")?);
                Self::AlreadyExists { fields: warnings.iter().filter_map(field).collect() }
            }
            _ => {
                let reply = redactor.excerpt(reply.to_string().as_bytes());
                let reason =
                    format!("the ERP reports success without the id of one record: {reply}");
                Self::Unknown { reason }
            }
        }
    }
}

/// The reply of the ERP to an insert that made the record `id`.
pub(crate) fn reply_with_id(id: &str) -> Value {
    json!({"status": "success", "data": {"id": id}})
}

/// The id of one record: digits, as a text or a number.
pub(super) fn record_id(id: &Value) -> Option<String> {
    let id = text_of(id)?;
    (!id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit())).then_some(id)
}

/// A text or a number, as a text: the ERP is not consistent.
pub(super) fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn is_blank(id: &Value) -> bool {
    id.is_null() || id == ""
}
