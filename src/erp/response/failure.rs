//! What an answer means, and what people should do, when the ERP has not done what it was asked for.

use super::{Barrier, Body, Clue, ErpError, Outcome, Response};
use crate::outbound::Redactor;

/// What came of a call that the API refused: `code` and `message` as the API gave them, `shown` for people. Its texts count
/// only as a whole: a part of one could be a value that it quotes.
pub(super) fn of_refusal(
    response: &Response<'_>,
    code: &str,
    message: &str,
    shown: String,
) -> Outcome {
    let retry_after = response.retry_after;
    Outcome::Failed(if code == "429" {
        ErpError::Unavailable { reason: shown, retry_after }
    } else if let Some(barrier) = barrier(code, message) {
        ErpError::NoAccess { message: format!("\"{shown}\""), barrier }
    } else if is_database_error(message) {
        let reason = format!("the ERP answered \"{shown}\"");
        return Outcome::Unknown { reason, retry_after, clue: Clue::None };
    } else {
        ErpError::Refused { message: shown, advice: advice(message, response.sent_as) }
    })
}

fn advice(message: &str, sent_as: Body) -> &'static str {
    if sent_as == Body::Json && fits(message, "key is required") {
        "Nothing was created. This ERP does not read JSON: set CRM_BODY=form and restart"
    } else if fits_any(message, &CONFIGURATION) {
        "Nothing was created. Check CRM_ENTITY_ID, CRM_FIELD_DEAL_NAME, CRM_FIELD_AMOUNT and \
         CRM_FIELD_EXTERNAL_ID against the ERP"
    } else {
        "Most likely nothing was created. Correct what the ERP names, and look in the ERP that the record is \
         absent"
    }
}

/// Code and text of each refusal of access. An LDAP server's text is its own, and 3.4.4 may leave the code out. `#` is one
/// word: a number, the name of a field, an address.
const ACCESS: [(&str, &str, Barrier); 6] = [
    ("ip_not_allowed", "IP # is not allowed!", Barrier::Address),
    ("login_fail", "No match for Username and/or Password", Barrier::Login),
    ("account_not_active", "Your account is not active", Barrier::Account),
    ("access_denied", "Access denied", Barrier::Right),
    ("-", "API Key mismatch", Barrier::Key),
    ("-", "API is not enabled", Barrier::Switch),
];

fn barrier(code: &str, message: &str) -> Option<Barrier> {
    let denial = ACCESS.iter().find(|(known, text, _)| code == *known || fits(message, text));
    denial.map(|(_, _, barrier)| *barrier)
}

const CONFIGURATION: [&str; 9] = [
    "# is required",
    "action # not exist",
    "entity # not found",
    "Entity # does not exist",
    "# not exist in entity #",
    "parent_item_id # not found!",
    "items is not array",
    "items is ampty",
    "items is empty",
];

fn fits_any(message: &str, templates: &[&str]) -> bool {
    templates.iter().any(|template| fits(message, template))
}

fn fits(message: &str, template: &str) -> bool {
    let (mut words, mut wanted) = (message.split(' '), template.split(' '));
    loop {
        match (words.next(), wanted.next()) {
            (None, None) => return true,
            (Some(word), Some("#")) if !word.is_empty() => {}
            (Some(word), Some(wanted)) if word == wanted => {}
            _ => return false,
        }
    }
}

/// The database may fail after the record was stored. No version that we know says so in JSON.
fn is_database_error(message: &str) -> bool {
    let error = message.strip_prefix("Database Error: ");
    error.is_some_and(|error| error.starts_with(|first: char| first.is_ascii_digit()))
}

/// What leaves the outcome open, and what usually brings it.
pub(super) fn unclear(response: &Response<'_>, redactor: &Redactor) -> String {
    let Response { status, complete, body, .. } = *response;
    let page = redactor.excerpt(body);
    let answer = match page.as_str() {
        _ if !complete => format!("the answer (HTTP {status}) broke off"),
        "" => format!("HTTP {status} without a body"),
        page => format!("HTTP {status}, \"{page}\""),
    };
    let hint = match status {
        500 if complete && page.is_empty() => {
            "the ERP broke down; Rukovoditel 3.6 also answers so to a wrong username or password, or a missing right"
        }
        300..=399 => {
            "redirects are not followed: CRM_API_URL has to be the full address of api/rest.php"
        }
        404 | 405 | 410 => "check CRM_API_URL, the full address of api/rest.php",
        401 | 403 => "check what stands before the ERP: a login, a firewall, a list of addresses",
        _ => return answer,
    };
    format!("{answer} ({hint})")
}
