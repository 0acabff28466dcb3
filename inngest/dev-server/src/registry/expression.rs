//! CEL expressions, as far as a server without a CEL engine goes.

/// The function that a failure handler's trigger names: `event.data.function_id == '<id>'` (P-184).
pub(super) fn failure_of(expression: &str) -> Option<String> {
    let literal = expression.trim().strip_prefix("event.data.function_id")?.trim_start();
    let literal = literal.strip_prefix("==")?.trim_start();
    let quote = literal.chars().next().filter(|quote| matches!(quote, '\'' | '"'))?;
    let inner = literal.strip_prefix(quote)?.strip_suffix(quote)?;
    let mut id = String::new();
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => id.push(chars.next()?),
            c if c == quote => return None,
            c => id.push(c),
        }
    }
    Some(id)
}

/// Whether quotes and brackets match. It refuses what no CEL compiler could read; it cannot vouch for the rest.
pub(super) fn is_balanced(expression: &str) -> bool {
    let mut open = Vec::new();
    let mut chars = expression.chars();
    while let Some(c) = chars.next() {
        match c {
            '(' => open.push(')'),
            '[' => open.push(']'),
            '{' => open.push('}'),
            ')' | ']' | '}' if open.pop() != Some(c) => return false,
            '\'' | '"' => loop {
                match chars.next() {
                    None => return false,
                    Some('\\') => _ = chars.next(),
                    Some(end) if end == c => break,
                    Some(_) => {}
                }
            },
            _ => {}
        }
    }
    open.is_empty() && !expression.trim().is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_failure_handler_form_is_read() {
        let id = |text| failure_of(text);
        assert_eq!(id("event.data.function_id == 'app-fn'").as_deref(), Some("app-fn"));
        assert_eq!(id(r"event.data.function_id=='it\'s'").as_deref(), Some("it's"));
        assert_eq!(id(r#"event.data.function_id == "a""#).as_deref(), Some("a"));
        assert_eq!(id("event.data.function_id == 'a' || event.data.x == 'b'"), None);
        assert_eq!(id("event.data.x == 'a'"), None);
    }

    #[test]
    fn broken_expressions_are_noticed() {
        assert!(is_balanced("event.data['a'] == \"x(\" && (1 + 2) > 0"));
        for broken in ["", " ", "(", "event.data.x ==  'a", "f(]", ")"] {
            assert!(!is_balanced(broken), "{broken}");
        }
    }
}
