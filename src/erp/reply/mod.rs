//! What an answer of the ERP means, by one question: can the record be there?
//!
//! The status cannot tell. The API itself answers refusals with 200 or 500, and what stands before it answers with any
//! status after the record was stored: Apache says 503 both when PHP-FPM is down and when its worker was killed after the
//! insert, nginx turns a 500 into a 404, 405 or 302 where an `error_page` says so, and mod_security hides one behind a 403
//! (`reply/tests/servers.rs` has what they answered). So only two things are certain: what the API itself says in its own
//! form, and a request that never left. Everything else leaves the outcome open.

mod content;
mod refusal;

use std::time::Duration;

use serde_json::Value;

use super::error::Failure;
use super::settings::Body;
use crate::outbound::Redactor;
use content::Content;

/// An answer, as far as its meaning goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reply<'a> {
    pub(super) status: u16,
    pub(super) retry_after: Option<Duration>,
    pub(super) body: &'a [u8],
    /// Whether `body` is all of it.
    pub(super) complete: bool,
    /// How the request was encoded.
    pub(super) sent_as: Body,
}

/// What an insert came to, short of a failure.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Insertion {
    Created(Value),
    /// Nothing was created: these unique fields hold the values already.
    AlreadyExists {
        fields: Vec<String>,
    },
}

impl Reply<'_> {
    /// What the answer to an insert means.
    pub(super) fn insertion(&self, redactor: &Redactor) -> Result<Insertion, Failure> {
        let reply = self.success(redactor)?;
        let data = reply.get("data").unwrap_or(&Value::Null);
        let id = data.get("id").unwrap_or(&Value::Null);
        if record_id(id).is_some() {
            return Ok(Insertion::Created(reply));
        }
        let warnings = data.get("unique_fields_warning").and_then(Value::as_array);
        match warnings {
            Some(warnings) if !warnings.is_empty() && is_blank(id) => {
                let field = |warning: &Value| text_of(warning.get("id")?);
                let fields = warnings.iter().filter_map(field).collect();
                Ok(Insertion::AlreadyExists { fields })
            }
            _ => {
                let answer = redactor.excerpt(self.body);
                let reason =
                    format!("the ERP reports success without the id of one record: {answer}");
                Err(Failure::Unknown { reason })
            }
        }
    }

    /// The reply of a call that went well.
    pub(super) fn success(&self, redactor: &Redactor) -> Result<Value, Failure> {
        let content = if self.complete { Content::of(self.body) } else { None };
        match content {
            Some(Content::Success(reply)) => Ok(reply),
            Some(Content::Refusal { code, message }) => {
                let shown = if message.is_empty() { &code } else { &message };
                let shown = redactor.excerpt(shown.as_bytes());
                Err(match code.as_str() {
                    "429" => Failure::Unavailable { reason: shown, retry_after: self.retry_after },
                    code => refusal::meaning(code, &message, shown, self.sent_as),
                })
            }
            Some(Content::TextualRefusal) => {
                Err(Failure::Credentials { message: redactor.excerpt(self.body) })
            }
            Some(Content::NoDatabase) => {
                let reason = format!("it has no database: {}", redactor.excerpt(self.body));
                Err(Failure::Unavailable { reason, retry_after: self.retry_after })
            }
            None => Err(Failure::Unknown { reason: self.shown(redactor) }),
        }
    }

    /// An answer that leaves the outcome open, and what usually brings it.
    fn shown(&self, redactor: &Redactor) -> String {
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

#[cfg(test)]
mod tests;
