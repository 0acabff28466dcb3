//! What an answer of the ERP means, by one question: can the record be there?
//!
//! The status proves nothing. The API itself answers refusals with 200 or 500, and what stands before it answers with any
//! status after the record was stored: Apache says 503 both when PHP-FPM is down and when its worker was killed after the
//! insert, nginx turns a 500 into a 404, 405 or 302 where an `error_page` says so, and mod_security hides one behind a 403
//! (`tests/response/servers.rs` has what they answered). So only two things are certain: what the API itself says in its own
//! form, and a request that never left. Everything else leaves the outcome open.
//!
//! Nothing that we sent may decide what an answer means, and an answer may quote all of it: an error page shows the query,
//! a warning shows a value, and a lead's name may be typed by anyone into a form. So a reply of the API counts only
//! as a whole, and the text of a page only at its very beginning, before anything that varies. PHP's own notices may come
//! first: each ends with a line break, and no value that we send has one (`stored_text`), so none can begin a line.

mod failure;

use std::time::Duration;

use serde_json::{Value, json};

use super::error::{Barrier, ErpError};
use super::settings::Body;
use crate::outbound::{Redactor, plain_text};

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
    Unknown { reason: String, retry_after: Option<Duration>, clue: Clue },
}

impl Outcome {
    /// Its name in the metrics.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Done(_) => "done",
            Self::Failed(ErpError::Refused { .. }) => "refused",
            Self::Failed(ErpError::NoAccess { .. }) => "no_access",
            Self::Failed(ErpError::Unavailable { .. }) => "unavailable",
            Self::Unknown { .. } => "unknown",
        }
    }
}

/// What came of a call that changes nothing: whatever happened, asking again is safe.
pub(super) fn reply_of(answer: Outcome) -> Result<Value, ErpError> {
    const NO_COLUMN: u32 = 1054;
    const NO_TABLE: u32 = 1146;
    match answer {
        Outcome::Done(reply) => Ok(reply),
        Outcome::Failed(error) => Err(error),
        Outcome::Unknown { reason, clue: Clue::FailedQuery(NO_COLUMN), .. } => {
            let advice = "Set CRM_FIELD_EXTERNAL_ID to a field of the entity of CRM_ENTITY_ID";
            Err(ErpError::Refused { message: reason, advice })
        }
        Outcome::Unknown { reason, clue: Clue::FailedQuery(NO_TABLE), .. } => {
            let advice = "Set CRM_ENTITY_ID to the number of an entity that the ERP has";
            Err(ErpError::Refused { message: reason, advice })
        }
        Outcome::Unknown { reason, retry_after, .. } => {
            Err(ErpError::Unavailable { reason, retry_after })
        }
    }
}

/// What is seen of an answer that leaves the outcome open. It proves nothing of an insert; a question that changes nothing
/// may go by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Clue {
    /// HTTP 500 without a body: PHP 8 answers so where the ERP refuses access, and where it breaks down.
    Silent500,
    /// The page of a query that failed, with the database's number of the error.
    FailedQuery(u32),
    /// Nothing.
    None,
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

/// What came of an update that has not failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Update {
    /// The record holds what was sent.
    Written,
    /// There is no such record.
    NothingMatched,
    /// It was written, or not, or will be.
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
                failure::of_refusal(self, &code, &message, redactor.excerpt(shown.as_bytes()))
            }
            Some(Content::TextualRefusal) => {
                let message = format!("\"{}\"", redactor.excerpt(self.body));
                Outcome::Failed(ErpError::NoAccess { message, barrier: Barrier::Unknown })
            }
            Some(Content::NoDatabase) => {
                let reason = format!("it has no database: {}", redactor.excerpt(self.body));
                Outcome::Failed(ErpError::Unavailable { reason, retry_after })
            }
            None => Outcome::Unknown {
                reason: failure::unclear(self, redactor),
                retry_after,
                clue: self.clue(),
            },
        }
    }

    fn clue(&self) -> Clue {
        if !self.complete {
            return Clue::None;
        }
        let body = after_notices(self.body.trim_ascii());
        match database_error(body) {
            _ if self.status == 500 && body.is_empty() => Clue::Silent500,
            Some(number) => Clue::FailedQuery(number),
            None => Clue::None,
        }
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

impl Update {
    /// What the `reply` to an update of the record `id` says.
    pub(super) fn of(reply: &Value, id: &str, redactor: &Redactor) -> Self {
        let updated = reply.get("data").and_then(|data| data.get("id"));
        match updated.map(|updated| (record_id(updated), updated)) {
            Some((Some(updated), _)) if updated == id => Self::Written,
            Some((None, nothing)) if nothing == "" => Self::NothingMatched,
            _ => {
                let reply = redactor.excerpt(reply.to_string().as_bytes());
                Self::Unknown { reason: format!("the ERP does not name record {id}: {reply}") }
            }
        }
    }
}

/// An answer that PHP or the API certainly gave, and gave at a known point.
#[derive(Debug, Clone, PartialEq)]
enum Content {
    /// The API did what was asked.
    Success(Value),
    /// The API refused. It checks everything before it stores anything.
    Refusal { code: String, message: String },
    /// PHP 8 stumbled over a refusal whose code is a word: it makes the code the HTTP status, which must be a number.
    TextualRefusal,
    /// The ERP has no database. It connects before it reads the request.
    NoDatabase,
}

impl Content {
    /// What a complete `body` is; `None`: something else, and perhaps after the record was stored.
    fn of(body: &[u8]) -> Option<Self> {
        let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
        let body = after_notices(body).trim_ascii();
        if body.starts_with(b"{") {
            return reply(serde_json::from_slice(body).ok()?);
        }
        if is_textual_refusal(body) {
            Some(Self::TextualRefusal)
        } else {
            is_without_database(body).then_some(Self::NoDatabase)
        }
    }
}

/// The API's reply. Gateways answer with JSON too, and theirs may come after the record was stored: a refusal has these
/// fields and no others.
fn reply(value: Value) -> Option<Content> {
    let fields = value.as_object()?;
    match fields.get("status")?.as_str()? {
        "success" => Some(Content::Success(value)),
        "error" => {
            let known = ["status", "error_code", "error_message"];
            let own = fields.keys().all(|field| known.contains(&field.as_str()));
            let message = fields.get("error_message")?.as_str()?.to_owned();
            let code = fields.get("error_code").and_then(text_of).unwrap_or_default();
            own.then_some(Content::Refusal { code, message })
        }
        _ => None,
    }
}

/// What is left of `body` after the messages that PHP prints and goes on.
fn after_notices(mut body: &[u8]) -> &[u8] {
    loop {
        body = body.trim_ascii_start();
        match after_notice(body) {
            Some(rest) => body = rest,
            None => return body,
        }
    }
}

fn after_notice(body: &[u8]) -> Option<&[u8]> {
    ["Deprecated", "Notice", "Warning", "Strict Standards"].iter().find_map(|level| {
        let (start, end) = (format!("<br />\n<b>{level}</b>:"), "<br />\n");
        let (plain_start, plain_end) = (format!("{level}: "), "\n");
        after(body, &start, end).or_else(|| after(body, &plain_start, plain_end))
    })
}

/// What follows the first `end` in a `body` that begins with `start`.
fn after<'a>(body: &'a [u8], start: &str, end: &str) -> Option<&'a [u8]> {
    let message = body.strip_prefix(start.as_bytes())?;
    let at = message.windows(end.len()).position(|window| window == end.as_bytes())?;
    message.get(at + end.len()..)
}

/// With PHP's `html_errors` and without.
fn is_textual_refusal(body: &[u8]) -> bool {
    let error = [&b"<br />\n<b>Fatal error</b>:  "[..], b"Fatal error: "]
        .iter()
        .find_map(|start| body.strip_prefix(*start));
    error.is_some_and(|error| error.starts_with(b"Uncaught TypeError: http_response_code(): "))
}

/// Errors that only connecting brings. The page of a failed query begins the same way, has another number there, and
/// quotes values after it.
const CONNECTING: [u32; 10] = [1040, 1044, 1045, 1049, 1129, 1130, 1203, 2002, 2003, 2005];

/// The page of version 3 (`<app_db_error> ... Database Error: 2002 - ...`) or of version 2 (`Error: (2002) ...`).
fn is_without_database(body: &[u8]) -> bool {
    const SETTINGS: &str = r#"Please check database settings in "config/database.php" file."#;
    let connecting = database_error(body).is_some_and(|number| CONNECTING.contains(&number));
    connecting && plain_text(&String::from_utf8_lossy(body)).ends_with(SETTINGS)
}

/// The number of the error on a page of the database. It comes before anything that the page quotes.
fn database_error(body: &[u8]) -> Option<u32> {
    if !body.starts_with(b"<app_db_error>") && !body.starts_with(b"Error: (") {
        return None;
    }
    let text = plain_text(&String::from_utf8_lossy(body));
    let error = text.strip_prefix("Database Error: ").or_else(|| text.strip_prefix("Error: ("))?;
    error.split([' ', ')']).next()?.parse().ok()
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
