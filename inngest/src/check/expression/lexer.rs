//! Splits an expression into tokens.

use std::ops::Range;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Token<'a> {
    Text,
    Bytes,
    Integer,
    /// One more than the largest: an integer where a minus is before it.
    Smallest,
    Unsigned,
    Float,
    Name(&'a str),
    /// A value that is to be put in.
    Placeholder(&'a str),
    Symbol(&'a str),
}

/// The longer ones come first.
const SYMBOLS: [&str; 25] = [
    "==", "!=", "<=", ">=", "&&", "||", "<", ">", "!", "-", "+", "*", "/", "%", "(", ")", "[", "]",
    "{", "}", ".", ",", "?", ":", "=",
];

/// The tokens of a text, and where they are.
pub(super) fn tokens(text: &str) -> Result<Vec<(Token<'_>, Range<usize>)>, String> {
    let mut tokens = Vec::new();
    let mut rest = skip(text);
    while let Some(first) = rest.chars().next() {
        let (token, length) = next(rest, first)?;
        let at = text.len() - rest.len();
        tokens.push((token, at..at + length));
        rest = skip(rest.get(length..).unwrap_or_default());
    }
    Ok(tokens)
}

/// Leaves out white space, as far as the server knows it, and comments.
fn skip(text: &str) -> &str {
    let space = [' ', '\t', '\n', '\r', '\u{c}'];
    let mut rest = text.trim_start_matches(space);
    while let Some(comment) = rest.strip_prefix("//") {
        rest = comment.split_once('\n').map_or("", |(_, after)| after).trim_start_matches(space);
    }
    rest
}

fn next(rest: &str, first: char) -> Result<(Token<'_>, usize), String> {
    let after_point = rest.strip_prefix('.').unwrap_or_default();
    match first {
        '\'' | '"' => quoted(rest, 0, Token::Text),
        '0'..='9' => number(rest),
        '.' if after_point.starts_with(|c: char| c.is_ascii_digit()) => number(rest),
        'a'..='z' | 'A'..='Z' | '_' => {
            let length = name_length(rest);
            let (name, after) = rest.split_at(length);
            match (name, after.starts_with(['\'', '"'])) {
                ("r" | "R", true) => quoted(rest, 1, Token::Text),
                ("b" | "B", true) => quoted(rest, 1, Token::Bytes),
                ("br" | "bR" | "Br" | "BR", true) => quoted(rest, 2, Token::Bytes),
                _ => Ok((Token::Name(name), length)),
            }
        }
        '$' => {
            let name = rest.get(1..).unwrap_or_default();
            match name_length(name) {
                0 => Err("`$` is not expected".to_owned()),
                length => Ok((Token::Placeholder(name.split_at(length).0), length + 1)),
            }
        }
        _ => match SYMBOLS.into_iter().find(|symbol| rest.starts_with(symbol)) {
            Some(symbol) => Ok((Token::Symbol(symbol), symbol.len())),
            None => Err(format!("`{first}` is not expected")),
        },
    }
}

fn name_length(text: &str) -> usize {
    text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len())
}

fn number(text: &str) -> Result<(Token<'_>, usize), String> {
    let count = |from: usize, fits: fn(char) -> bool| {
        let rest = text.get(from..).unwrap_or_default();
        rest.find(|c| !fits(c)).unwrap_or(rest.len())
    };
    let digit = |c: char| c.is_ascii_digit();
    let follows =
        |at: usize, what: [char; 2]| text.get(at..).is_some_and(|rest| rest.starts_with(what));
    let hexadecimal = count(2, |c| c.is_ascii_hexdigit());
    if text.starts_with("0x") && hexadecimal > 0 {
        let end = 2 + hexadecimal;
        return integer(text, 2..end, 16, follows(end, ['u', 'U']));
    }
    let whole = count(0, digit);
    let mut end = whole;
    let fraction = count(end + 1, digit);
    if follows(end, ['.', '.']) && fraction > 0 {
        end += 1 + fraction;
    }
    if follows(end, ['e', 'E']) {
        let sign = usize::from(follows(end + 1, ['+', '-']));
        let exponent = count(end + 1 + sign, digit);
        if exponent > 0 {
            end += 1 + sign + exponent;
        }
    }
    if end > whole {
        let float = text.get(..end).unwrap_or_default();
        return match float.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok((Token::Float, end)),
            _ => Err(format!("the number {float} is too large")),
        };
    }
    integer(text, 0..end, 10, follows(end, ['u', 'U']))
}

fn integer(
    text: &str,
    digits: Range<usize>,
    radix: u32,
    unsigned: bool,
) -> Result<(Token<'_>, usize), String> {
    let end = digits.end;
    let digits = text.get(digits).unwrap_or_default();
    match u64::from_str_radix(digits, radix) {
        Ok(_) if unsigned => Ok((Token::Unsigned, end + 1)),
        Ok(number) if number <= i64::MAX.unsigned_abs() => Ok((Token::Integer, end)),
        Ok(number) if number == i64::MIN.unsigned_abs() => Ok((Token::Smallest, end)),
        _ => Err(format!("the integer {digits} has more than 64 bits")),
    }
}

/// A text in one of its forms: `'a'`, `"a"`, in three quotes over several lines, raw with an `r` in front.
fn quoted<'a>(text: &str, prefix: usize, token: Token<'a>) -> Result<(Token<'a>, usize), String> {
    let (before, quoted) = text.split_at(prefix);
    let raw = before.contains(['r', 'R']);
    let quotes = ["'''", "\"\"\"", "'", "\""].into_iter();
    let quote = quotes.into_iter().find(|quote| quoted.starts_with(quote)).unwrap_or_default();
    let mut rest = quoted.get(quote.len()..).unwrap_or_default();
    loop {
        if let Some(after) = rest.strip_prefix(quote) {
            return Ok((token, text.len() - after.len()));
        }
        let mut characters = rest.chars();
        match characters.next() {
            None => return Err(NEVER_CLOSED.to_owned()),
            Some('\n' | '\r') if quote.len() == 1 => return Err(NEVER_CLOSED.to_owned()),
            Some('\\') if !raw => {
                rest = characters.as_str();
                let length = escape(rest).ok_or_else(|| {
                    let shown: String = rest.chars().take(1).collect();
                    format!("a text in it has the escape `\\{shown}`")
                })?;
                rest = rest.get(length..).unwrap_or_default();
            }
            Some(_) => rest = characters.as_str(),
        }
    }
}

const NEVER_CLOSED: &str = "a text in it is never closed";

/// The length of an escape, after its backslash.
fn escape(rest: &str) -> Option<usize> {
    let digits = |count: usize, fits: fn(&char) -> bool| {
        (rest.chars().skip(1).take(count).filter(fits).count() == count).then_some(count + 1)
    };
    match rest.chars().next()? {
        'a' | 'b' | 'f' | 'n' | 'r' | 't' | 'v' | '"' | '\'' | '\\' | '?' | '`' => Some(1),
        'x' | 'X' => digits(2, char::is_ascii_hexdigit),
        'u' => digits(4, char::is_ascii_hexdigit),
        'U' => digits(8, char::is_ascii_hexdigit),
        '0'..='3' => digits(2, |c| ('0'..='7').contains(c)),
        _ => None,
    }
}
