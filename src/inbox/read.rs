//! From the bytes of a body to the leads that concern us.

use std::borrow::Cow;

use functions::webhook::{AmoCrmWebhook, LeadFilter, Parsed, leads_matching};

/// The most fields that are read. Real bodies within the size limit have fewer.
const FIELD_LIMIT: usize = 5000;

/// The most problems that are written down of one body.
const PROBLEM_LIMIT: usize = 10;

/// What a body turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// There is none.
    Empty,
    /// A webhook without a lead that concerns us.
    Ignored,
    /// No webhook, or one whose leads cannot be read.
    Unparsable {
        /// Why.
        reason: String,
    },
    /// A webhook with leads that make deals.
    Leads {
        /// Them.
        leads: Vec<AmoCrmWebhook>,
        /// What else could not be read.
        problem: Option<String>,
    },
}

/// Reads a body. Text that is no UTF-8 is replaced; nothing makes it fail.
pub(super) fn read(content_type: Option<&str>, body: &[u8], filter: &LeadFilter) -> Reading {
    if body.trim_ascii().is_empty() {
        return Reading::Empty;
    }
    let mut fields = form_urlencoded::parse(body);
    let pairs: Vec<(Cow<'_, str>, Cow<'_, str>)> = fields.by_ref().take(FIELD_LIMIT).collect();
    let cut = fields.next().is_some();
    let pairs = pairs.iter().map(|(key, value)| (key.as_ref(), value.as_ref()));
    let parsed = leads_matching(pairs, filter);

    let problem = problem(&parsed, cut);
    match problem {
        problem if !parsed.leads.is_empty() => Reading::Leads { leads: parsed.leads, problem },
        Some(reason) => Reading::Unparsable { reason },
        None if parsed.is_webhook => Reading::Ignored,
        None => {
            let content_type = content_type.unwrap_or("none");
            let reason = format!("no amoCRM webhook (content type: {content_type:.100})");
            Reading::Unparsable { reason }
        }
    }
}

fn problem(parsed: &Parsed, cut: bool) -> Option<String> {
    let count = parsed.problems.len();
    let mut problems: Vec<_> =
        parsed.problems.iter().take(PROBLEM_LIMIT).map(ToString::to_string).collect();
    if count > PROBLEM_LIMIT {
        problems.push(format!("and {} more", count - PROBLEM_LIMIT));
    }
    if cut {
        problems.push(format!("what follows the first {FIELD_LIMIT} fields was not read"));
    }
    (!problems.is_empty()).then(|| problems.join("; "))
}
