//! What an answer of the ERP means. Decided by the body: older versions answer errors with 200, newer ones answer
//! final refusals with 500, and a page of HTML with 200 may come after the record was stored.

use std::time::Duration;

use serde_json::Value;

use super::error::Failure;
use super::settings::Body;
use crate::outbound::Redactor;

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
        let reply = if self.complete { parse(self.body) } else { None };
        match reply {
            Some(reply) if reply["status"] == "success" => Ok(reply),
            Some(reply) => Err(self.error(&reply, redactor)),
            None => Err(self.no_reply(redactor)),
        }
    }

    /// The API answered `status: error`.
    fn error(&self, reply: &Value, redactor: &Redactor) -> Failure {
        let code = reply.get("error_code").and_then(text_of).unwrap_or_default();
        let message = reply.get("error_message").and_then(text_of);
        let message = message.filter(|message| !message.is_empty()).unwrap_or_else(|| code.clone());
        let message = redactor.excerpt(message.as_bytes());
        let lower = message.to_lowercase();
        let says = |words: &str| lower.contains(words);

        if says("database error") {
            return Failure::Unknown { reason: format!("the ERP answered \"{message}\"") };
        }
        if ACCESS_CODES.contains(&code.as_str()) || ACCESS_TEXTS.iter().any(|text| says(text)) {
            return Failure::Credentials { message };
        }
        let advice = if says("key is required") && self.sent_as == Body::Json {
            "Nothing was created. This ERP does not read JSON: set CRM_BODY=form, then replay this run"
        } else if CONFIGURATION_TEXTS.iter().any(|text| says(text)) {
            "Nothing was created. Check CRM_ENTITY_ID, CRM_FIELD_DEAL_NAME, CRM_FIELD_AMOUNT and \
             CRM_FIELD_EXTERNAL_ID against the ERP, then replay this run"
        } else {
            "Most likely nothing was created. Correct what the ERP names, look in the ERP that the record is \
             absent, then replay this run"
        };
        Failure::Refused { message, advice }
    }

    /// Something other than the API answered, or the API broke down on the way.
    fn no_reply(&self, redactor: &Redactor) -> Failure {
        let Self { status, retry_after, .. } = *self;
        let page = redactor.excerpt(self.body);
        let reason = match (page.as_str(), self.complete) {
            (_, false) => format!("the answer (HTTP {status}) broke off"),
            ("", true) => format!("HTTP {status} without a body"),
            (page, true) => format!("HTTP {status}, \"{page}\""),
        };
        match status {
            429 | 503 => Failure::Unavailable { reason, retry_after },
            401 | 403 => Failure::Credentials { message: reason },
            300..400 | 400 | 404 | 405 | 406 | 410..500 => Failure::Refused {
                message: reason,
                advice: "Nothing was created: that is not the ERP's API. Check CRM_API_URL (the full address of \
                         api/rest.php; redirects are not followed), then replay this run",
            },
            // PHP 8 stumbles over the API's own textual error codes (a failed login, a forbidden address):
            // those are checked before anything is stored.
            _ if self.complete && contains(self.body, b"http_response_code()") => {
                Failure::Credentials { message: reason }
            }
            500 if self.complete && self.body.trim_ascii().is_empty() => Failure::Unknown {
                reason: format!(
                    "{reason} (the ERP broke down; Rukovoditel 3.6 also answers so to a wrong username or \
                     password)"
                ),
            },
            _ => Failure::Unknown { reason },
        }
    }
}

const ACCESS_CODES: [&str; 4] =
    ["ip_not_allowed", "login_fail", "account_not_active", "access_denied"];

const ACCESS_TEXTS: [&str; 6] = [
    "is not allowed!",
    "no match for username",
    "account is not active",
    "access denied",
    "api key mismatch",
    "api is not enabled",
];

const CONFIGURATION_TEXTS: [&str; 6] = [
    "is required",
    "not exist",
    "not found",
    "items is not array",
    "items is ampty",
    "items is empty",
];

/// The API's reply: an object with a status. PHP may print a byte order mark or warnings before it.
fn parse(body: &[u8]) -> Option<Value> {
    const START: &[u8] = b"{\"status\":";
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii();
    let known = |value: &Value| matches!(value["status"].as_str(), Some("success" | "error"));
    if let Ok(value) = serde_json::from_slice::<Value>(body) {
        return Some(value).filter(|value| value.is_object() && known(value));
    }
    let start = body.windows(START.len()).position(|window| window == START)?;
    let (before, reply) = body.split_at(start);
    // After a real breakdown the page may quote anything, the deal's own name included.
    if contains(before, b"Error") || contains(before, b"error") {
        return None;
    }
    serde_json::from_slice(reply).ok().filter(known)
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

fn contains(body: &[u8], text: &[u8]) -> bool {
    body.windows(text.len()).any(|window| window == text)
}

#[cfg(test)]
mod tests;
