//! Expressions in the Common Expression Language, as far as they can be judged without compiling them.

/// What keeps `expression` from being one; `None` when nothing is seen. The server compiles it and has the last word.
pub(super) fn flaw(expression: &str) -> Option<String> {
    if expression.trim().is_empty() {
        return Some("it is empty".to_owned());
    }
    let mut open = Vec::new();
    let mut characters = expression.chars();
    while let Some(character) = characters.next() {
        match character {
            '(' | '[' | '{' => open.push(character),
            ')' | ']' | '}' => {
                let opening = match character {
                    ')' => '(',
                    ']' => '[',
                    _ => '{',
                };
                if open.pop() != Some(opening) {
                    return Some(format!("`{character}` closes nothing"));
                }
            }
            quote @ ('\'' | '"') => loop {
                match characters.next() {
                    Some('\\') => drop(characters.next()),
                    Some(end) if end == quote => break,
                    Some(_) => {}
                    None => return Some("a text in it is never closed".to_owned()),
                }
            },
            _ => {}
        }
    }
    open.pop().map(|bracket| format!("`{bracket}` is never closed"))
}

/// `text` as a literal of the language.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', r"\\").replace('\'', r"\'"))
}

#[cfg(test)]
mod tests {
    use super::{flaw, quoted};

    #[test]
    fn brackets_and_quotes_must_close() {
        for good in ["event.data.x", "f(a[0], {'b': ')'})", r#""it's (" == event.name"#, r"'\''"] {
            assert_eq!(flaw(good), None, "{good}");
        }
        for bad in ["", "  ", "(a", "a)", "[a)", "'a", r"'\'"] {
            assert!(flaw(bad).is_some(), "{bad}");
        }
    }

    /// T67: an id with a quote in it does not end the literal.
    #[test]
    fn t67_quotes_and_backslashes_are_escaped() {
        assert_eq!(quoted("app-fn"), "'app-fn'");
        assert_eq!(quoted(r"it's \ here"), r"'it\'s \\ here'");
        assert_eq!(flaw(&quoted(r"a'\b")), None);
    }
}
