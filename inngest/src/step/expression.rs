//! The condition of a wait, in the server's expression language.

use crate::Expression;
use crate::check::Purpose;
use crate::expression::{self, Written};

/// `path` has the same value in both events.
pub(super) fn same(path: &str) -> Result<Written, String> {
    let is_name = |name: &str| {
        !name.is_empty()
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    if path.split('.').all(is_name) {
        Expression::new(expression::same(path)).write(Purpose::Any)
    } else {
        Err(format!("`{path}` is no path such as `data.orderId`; write the condition with `when`"))
    }
}

/// All of these conditions.
pub(super) fn all(conditions: &[Written]) -> Result<Option<String>, String> {
    let text = match conditions {
        [] => return Ok(None),
        [only] => only.text.clone(),
        several => {
            // A comment would take the bracket with it.
            let end = |text: &str| if text.contains("//") { "\n)" } else { ")" };
            let each: Vec<_> =
                several.iter().map(|one| format!("({}{}", one.text, end(&one.text))).collect();
            each.join(" && ")
        }
    };
    let all = Written { text, delicate: conditions.iter().any(|one| one.delicate) };
    match all.futile() {
        Some(reason) => Err(format!("its condition `{}` can never hold: {reason}", all.text)),
        None => Ok(Some(all.text)),
    }
}
