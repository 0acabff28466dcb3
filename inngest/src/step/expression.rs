//! The condition of a wait, in the server's expression language.

/// `path` has the same value in the event that started the run and in the one that is waited for.
pub(super) fn same(path: &str) -> Result<String, String> {
    let is_name = |name: &str| {
        !name.is_empty()
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    if path.split('.').all(is_name) {
        Ok(format!("event.{path} == async.{path}"))
    } else {
        Err(format!("`{path}` is no path such as `data.orderId`; write the condition with `when`"))
    }
}

/// All of these conditions.
pub(super) fn all(conditions: &[String]) -> Option<String> {
    match conditions {
        [] => None,
        [only] => Some(only.clone()),
        several => {
            let each: Vec<_> = several.iter().map(|one| format!("({one})")).collect();
            Some(each.join(" && "))
        }
    }
}
