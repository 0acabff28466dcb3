//! Splits an expression into tokens.

use serde_json::{Number, Value};

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Literal(Value),
    Name(String),
    Symbol(&'static str),
}

/// Why an expression cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidExpression {
    /// It is not CEL.
    #[error("{0}")]
    Syntax(String),
    /// The real server may accept it.
    #[error("{0} is not supported by the expressions of this dev server")]
    Unsupported(String),
}

/// The longer ones come first.
const SYMBOLS: [&str; 23] = [
    "==", "!=", "<=", ">=", "&&", "||", "<", ">", "!", "-", "+", "*", "/", "%", "(", ")", "[", "]",
    ".", ",", "?", ":", "{",
];

pub(super) fn tokens(text: &str) -> Result<Vec<Token>, InvalidExpression> {
    let mut tokens = Vec::new();
    let mut rest = skip(text);
    while let Some(first) = rest.chars().next() {
        let (token, after) = match first {
            '\'' | '"' => string(rest)?,
            '0'..='9' => number(rest)?,
            '.' if rest[1..].starts_with(|c: char| c.is_ascii_digit()) => number(rest)?,
            'a'..='z' | 'A'..='Z' | '_' => name(rest)?,
            _ => symbol(rest)?,
        };
        tokens.push(token);
        rest = skip(after);
    }
    Ok(tokens)
}

/// Leaves out spaces and comments.
fn skip(text: &str) -> &str {
    let space = [' ', '\t', '\n', '\r', '\u{c}'];
    let mut rest = text.trim_start_matches(space);
    while let Some(comment) = rest.strip_prefix("//") {
        rest = comment.split_once('\n').map_or("", |(_, after)| after).trim_start_matches(space);
    }
    rest
}

fn syntax(why: impl Into<String>) -> InvalidExpression {
    InvalidExpression::Syntax(why.into())
}

fn symbol(text: &str) -> Result<(Token, &str), InvalidExpression> {
    let found = SYMBOLS.into_iter().find_map(|symbol| Some((symbol, text.strip_prefix(symbol)?)));
    match found {
        Some(("{", _)) => Err(InvalidExpression::Unsupported("a map literal".to_owned())),
        Some((symbol, after)) => Ok((Token::Symbol(symbol), after)),
        None => Err(syntax(format!("unexpected {:?}", text.chars().next().unwrap_or_default()))),
    }
}

fn name(text: &str) -> Result<(Token, &str), InvalidExpression> {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    let (name, after) = text.split_at(end);
    if after.starts_with(['\'', '"']) {
        if matches!(name, "r" | "R") {
            return string(text);
        }
        return Err(InvalidExpression::Unsupported(format!("the string prefix {name:?}")));
    }
    let token = match name {
        "true" => Token::Literal(Value::Bool(true)),
        "false" => Token::Literal(Value::Bool(false)),
        "null" => Token::Literal(Value::Null),
        "in" => Token::Symbol("in"),
        name => Token::Name(name.to_owned()),
    };
    Ok((token, after))
}

fn number(text: &str) -> Result<(Token, &str), InvalidExpression> {
    let digits = |from: usize| {
        text[from..].find(|c: char| !c.is_ascii_digit()).map_or(text.len(), |end| from + end)
    };
    let mut end = digits(0);
    if text[end..].starts_with('.') && text[end + 1..].starts_with(|c: char| c.is_ascii_digit()) {
        end = digits(end + 1);
    }
    if text[end..].starts_with(['e', 'E']) {
        let sign = usize::from(text[end + 1..].starts_with(['+', '-']));
        end = digits(end + 1 + sign);
    }
    let (number, after) = text.split_at(end);
    if after.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return Err(InvalidExpression::Unsupported(format!("a number as in {text:?}")));
    }
    let is_integer = number.bytes().all(|b| b.is_ascii_digit());
    let value = match is_integer {
        true => number.parse::<i64>().ok().map(Value::from),
        false => number.parse::<f64>().ok().and_then(Number::from_f64).map(Value::from),
    };
    match value {
        Some(value) => Ok((Token::Literal(value), after)),
        // With a minus before it, it is one.
        None if number.parse() == Ok(i64::MIN.unsigned_abs()) => {
            Err(InvalidExpression::Unsupported(format!("the number {number}")))
        }
        None => Err(syntax(format!("{number:?} is not a number"))),
    }
}

/// A text in one of its forms: `'a'`, `"a"`, in three quotes over several lines, and raw with an `r` in front.
///
/// The real server compares what stands between the quotes as it stands there. In the last two forms it takes more than
/// that for the text, so that nothing is equal to it.
fn string(text: &str) -> Result<(Token, &str), InvalidExpression> {
    let (is_raw, quoted) = match text.strip_prefix(['r', 'R']) {
        Some(quoted) => (true, quoted),
        None => (false, text),
    };
    let quotes = ["'''", "\"\"\"", "'", "\""].into_iter();
    let quote = quotes.into_iter().find(|quote| quoted.starts_with(quote)).unwrap_or_default();
    let mut content = String::new();
    let mut rest = quoted[quote.len()..].chars();
    loop {
        if let Some(after) = rest.as_str().strip_prefix(quote) {
            let plain = !is_raw && quote.len() == 1 || content.is_empty();
            let taken = text.split_at(text.len() - after.len()).0;
            let content = if plain { content } else { taken.to_owned() };
            return Ok((Token::Literal(content.into()), after));
        }
        match rest.next() {
            None => return Err(syntax("a string is not closed")),
            Some('\n' | '\r') if quote.len() == 1 => return Err(syntax("a string is not closed")),
            Some('\\') if !is_raw => match rest.next() {
                Some(escaped @ ('n' | 'r' | 't' | '\\' | '\'' | '"' | '`' | '?')) => {
                    content.extend(['\\', escaped]);
                }
                Some(other) => {
                    return Err(InvalidExpression::Unsupported(format!("the escape \\{other}")));
                }
                None => return Err(syntax("a string is not closed")),
            },
            Some(c) => content.push(c),
        }
    }
}
