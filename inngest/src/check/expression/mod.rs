//! Expressions in the Common Expression Language, judged as the server judges them.
//!
//! `tests/expressions.txt` has the answers of server 1.43, by which this was built. Beyond those it is on the side of the
//! author: what it does not know of types it lets through, and the server has the last word.

mod grammar;
mod lexer;
mod types;

use grammar::{Parser, Uses};
use lexer::{Token, tokens};

/// What an expression is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The condition of a trigger or a wait, a key.
    Any,
    /// The condition of a cancellation, where the server takes comparisons and no calculations.
    Cancellation,
}

/// What keeps `expression` from being one; `None` when nothing is seen.
pub(crate) fn flaw(expression: &str, purpose: Purpose) -> Option<String> {
    read(expression, purpose).err()
}

/// Whether it looks at the event that started the run.
pub(crate) fn looks_at_event(expression: &str) -> bool {
    read(expression, Purpose::Any).is_ok_and(|uses| uses.event)
}

/// Where an expression has the name of a value, as `$name`: the bytes and the name.
pub(crate) fn placeholders(
    expression: &str,
) -> Result<Vec<(std::ops::Range<usize>, &str)>, String> {
    let tokens = tokens(expression)?;
    Ok(tokens
        .into_iter()
        .filter_map(|(token, at)| match token {
            Token::Placeholder(name) => Some((at, name)),
            _ => None,
        })
        .collect())
}

fn read(expression: &str, purpose: Purpose) -> Result<Uses, String> {
    let tokens = tokens(expression)?;
    if tokens.is_empty() {
        return Err("it is empty".to_owned());
    }
    let uses = Parser::new(tokens.into_iter().map(|(token, _)| token)).all()?;
    match (purpose, &uses.calculation) {
        (Purpose::Cancellation, Some(what)) => {
            Err(format!("the condition of a cancellation can only compare, and this has {what}"))
        }
        _ => Ok(uses),
    }
}

#[cfg(test)]
mod tests {
    use super::{Purpose, flaw};

    /// The answers of the official server: `+` or `-` for the condition of a trigger and for that of a cancellation.
    const ANSWERS: &str = include_str!("../../../tests/expressions.txt");

    #[test]
    fn what_the_server_takes_is_taken_and_what_it_refuses_is_refused() {
        let mut wrong = Vec::new();
        for line in ANSWERS.lines().filter(|line| !line.starts_with('#')) {
            let (answers, expression) = line.split_once(' ').expect("answers and an expression");
            let expression: String = serde_json::from_str(expression).expect("a text");
            for (answer, purpose) in answers.chars().zip([Purpose::Any, Purpose::Cancellation]) {
                let flaw = flaw(&expression, purpose);
                if flaw.is_none() != (answer == '+') {
                    wrong.push(format!("{purpose:?} {answer} {expression:.80}: {flaw:?}"));
                }
            }
        }
        assert!(ANSWERS.lines().count() > 120);
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn a_flaw_says_what_and_where() {
        for (expression, expected) in [
            ("", "it is empty"),
            ("// nothing", "it is empty"),
            ("event.data.x ==", "it ends where a value is missing"),
            ("(event.data.x", "`(` is never closed"),
            ("event.data.x)", "`)` is not expected"),
            ("event.data.x = 1", "`=` is not expected"),
            ("event.data.x == 'a", "a text in it is never closed"),
            (r"'\q' == event.name", r"a text in it has the escape `\q`"),
            ("order.id == 1", "`order` is unknown; it can look at `event` and `async`"),
            ("event.data.x.trim() == 'a'", "`trim` is no function of the server"),
            ("size(1, 2)", "`size` takes 1 argument"),
            ("'a' || true", "`||` is between conditions, and one side is a text"),
            ("event.data.in", "`in` is not expected"),
        ] {
            assert_eq!(flaw(expression, Purpose::Any).as_deref(), Some(expected), "{expression}");
        }
        assert_eq!(
            flaw("size(event.data.x) == 1", Purpose::Cancellation).as_deref(),
            Some("the condition of a cancellation can only compare, and this has `size`")
        );
    }

    #[test]
    fn no_text_makes_it_panic_or_exhaust_the_stack() {
        for part in [
            "(", "[", "{", "!", "-", "a.", "a ? ", "'", "r'", "'''", "\\", "1.", "1e", "0x", "$",
            "я", "f(",
        ] {
            for times in [1, 2, 500, 100_000] {
                let _ = flaw(&part.repeat(times), Purpose::Any);
            }
        }
    }
}
