//! What an answer is, by its structure alone.
//!
//! Nothing that we sent may decide what an answer means, and an answer may quote all of it: an error page shows the query,
//! a warning shows a value, and a lead's name is whatever a stranger typed into a form. So a reply of the API counts only
//! as a whole, and the text of a page only at its very beginning, before anything that varies. PHP's own notices may come
//! first: each ends with a line break, and no value that we send has one (`stored_name`), so none can begin a line.

use serde_json::Value;

use super::text_of;
use crate::outbound::plain_text;

/// An answer that PHP or the API certainly gave, and gave at a known point.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Content {
    /// The API did what was asked.
    Success(Value),
    /// The API said no. It checks everything before it stores anything.
    Refusal { code: String, message: String },
    /// PHP 8 stumbled over a refusal whose code is a word: it makes the code the HTTP status, which must be a number.
    TextualRefusal,
    /// The ERP has no database. It connects before it reads the request.
    NoDatabase,
}

impl Content {
    /// What a complete `body` is; `None`: something else, and perhaps after the record was stored.
    pub(super) fn of(body: &[u8]) -> Option<Self> {
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
    ["Deprecated", "Notice", "Warning", "Strict Standards"].iter().find_map(|label| {
        let (start, end) = (format!("<br />\n<b>{label}</b>:"), "<br />\n");
        let (plain_start, plain_end) = (format!("{label}: "), "\n");
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
    if !body.starts_with(b"<app_db_error>") && !body.starts_with(b"Error: (") {
        return false;
    }
    let text = plain_text(&String::from_utf8_lossy(body));
    let error = text.strip_prefix("Database Error: ").or_else(|| text.strip_prefix("Error: ("));
    let number = error.and_then(|error| error.split([' ', ')']).next()?.parse().ok());
    number.is_some_and(|number| CONNECTING.contains(&number)) && text.ends_with(SETTINGS)
}
