//! From the bytes of a body to the leads that concern us. What form a body has is known by its bytes: relays are known to
//! give it a wrong content type, or none.

mod gzip;
mod json;
mod multipart;

use std::collections::BTreeSet;

use functions::webhook::{AmoCrmWebhook, Change, Fields, LeadFilter, Parsed};

pub(super) use gzip::is_packed;

/// The most leads that are read of one body: several times what amoCRM puts into one, and no more than can be stored
/// before it stops waiting.
const LEAD_LIMIT: usize = 2000;

/// The most problems that are written down of one body.
const PROBLEM_LIMIT: usize = 10;

/// What editors and some libraries put before a text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What a body turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// There is none.
    Empty,
    /// A webhook without a lead that concerns us.
    Ignored,
    /// A webhook of leads that were changed or deleted, and of none that makes a deal.
    Changes(BTreeSet<Change>),
    /// No webhook, as far as can be told.
    NoWebhook {
        /// Why not.
        reason: String,
    },
    /// A webhook whose leads cannot be read.
    Unparsable {
        /// Why.
        reason: String,
    },
    /// A webhook with leads that make deals.
    Leads {
        /// Them.
        leads: Vec<AmoCrmWebhook>,
        /// Leads that were changed or deleted.
        changes: BTreeSet<Change>,
        /// What else could not be read.
        problem: Option<String>,
    },
}

/// Reads a body. Text that is no UTF-8 is replaced; nothing makes it fail. Takes time in proportion to the body's size,
/// whatever stands in it.
pub(super) fn read(content_type: Option<&str>, body: &[u8], filter: &LeadFilter) -> Reading {
    let no_webhook = |why: String| {
        let content_type = content_type.unwrap_or("none");
        Reading::NoWebhook { reason: format!("{why} (content type: {content_type:.100})") }
    };
    let unpacked;
    let body = if is_packed(body) {
        match gzip::unpack(body) {
            Ok(bytes) => {
                unpacked = bytes;
                unpacked.as_slice()
            }
            Err(why) => return no_webhook(why),
        }
    } else {
        body
    };
    let text = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body).trim_ascii();
    let mut fields = Fields::new(LEAD_LIMIT);
    let mut whole = true;
    if text.is_empty() {
        return Reading::Empty;
    } else if text.starts_with(b"{") {
        if let Err(error) = json::read(text, &mut fields) {
            // Where a text breaks off, its last number may be the beginning of a longer one.
            return no_webhook(format!("broken JSON: {error}"));
        }
    } else if let Some(boundary) = multipart::boundary(content_type, text) {
        whole = multipart::read(text, &boundary, &mut fields);
    } else {
        form_urlencoded::parse(text).for_each(|(key, value)| fields.add(&key, &value));
    }

    let parsed = fields.parsed(filter);
    match problem(&parsed, whole) {
        problem if !parsed.leads.is_empty() => {
            Reading::Leads { leads: parsed.leads, changes: parsed.changes, problem }
        }
        None if !parsed.changes.is_empty() => Reading::Changes(parsed.changes),
        None if parsed.is_webhook => Reading::Ignored,
        Some(reason) if parsed.is_webhook => Reading::Unparsable { reason },
        _ => no_webhook("no amoCRM webhook".to_owned()),
    }
}

fn problem(parsed: &Parsed, whole: bool) -> Option<String> {
    let count = parsed.problems.len();
    let mut problems: Vec<_> =
        parsed.problems.iter().take(PROBLEM_LIMIT).map(ToString::to_string).collect();
    if count > PROBLEM_LIMIT {
        problems.push(format!("and {} more", count - PROBLEM_LIMIT));
    }
    if parsed.cut {
        problems.push(format!("it names over {LEAD_LIMIT} leads; the rest was not read"));
    }
    if !whole {
        problems
            .push("a part of the multipart form could not be read, or its end is missing".into());
    }
    (!problems.is_empty()).then(|| problems.join("; "))
}
