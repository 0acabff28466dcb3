//! Text as the ERP may store it.
//!
//! Rukovoditel's forms clean what people type: they join blanks and take the angle brackets from tags. Its API stores what
//! it gets, and its pages print what is stored as it stands, also within attributes. So the cleaning is done here, and
//! it is stricter than that of the forms, which let a tag pass that is never closed.

/// The longest text, in characters: what the ERP's text fields take.
const LONGEST: usize = 255;

/// What a browser reads in `text` is what a person would have read.
///
/// - Character references are what they stand for: `Tom &amp; Jerry` is `Tom & Jerry`, and `&lt;b>` is a tag.
/// - Line breaks, control characters and several blanks are one blank; the text is one line of limited length.
/// - The angle brackets of what a browser may take for a tag are `_`, as the ERP's own forms have it. `a < b` stays.
/// - Straight quotes become curly ones where there is a `=`, without which nothing that follows a closing quote can be
///   given a value. Names with quotes nearly always stay as they are.
/// - A link of the scheme `javascript` loses its colon.
/// - `null` and `now()` are quoted: the ERP would store SQL's NULL, or the time of day.
///
/// The same text always gives the same result. That it is one line also keeps it from looking like an answer of the ERP
/// (`response`).
pub(crate) fn stored_text(text: &str) -> String {
    let line = one_line(&without_references(text));
    let capped: String = line.chars().take(LONGEST).collect();
    let text = without_tags(capped.trim_end());
    let text =
        if text.contains('=') { text.replace('"', "”").replace('\'', "’") } else { text };
    match text.as_str() {
        "null" | "now()" => format!("\"{text}\""),
        _ if is_script(&text) => text.replacen(':', "_", 1),
        _ => text,
    }
}

/// `text` with the references resolved that stand for a character with a meaning in HTML or in the scheme of a link: as
/// often as it takes, for `&amp;lt;` is one too.
fn without_references(text: &str) -> String {
    let mut resolved = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        resolved.push_str(before);
        rest = after;
        let mut character = '&';
        while character == '&'
            && let Some((next, after)) = reference(rest)
        {
            (character, rest) = (next, after);
        }
        resolved.push(character);
    }
    resolved + rest
}

/// The character of the reference that begins here, behind its `&`, and what follows it.
fn reference(text: &str) -> Option<(char, &str)> {
    const NAMED: [(&str, char); 13] = [
        ("lt", '<'),
        ("gt", '>'),
        ("amp", '&'),
        ("quot", '"'),
        ("LT", '<'),
        ("GT", '>'),
        ("AMP", '&'),
        ("QUOT", '"'),
        // The others are references only with their semicolon.
        ("apos;", '\''),
        ("colon;", ':'),
        ("equals;", '='),
        ("Tab;", '\t'),
        ("NewLine;", '\n'),
    ];
    let (character, rest) = match text.strip_prefix('#') {
        Some(number) => {
            let (digits, radix) = match number.strip_prefix(['x', 'X']) {
                Some(digits) => (digits, 16),
                None => (number, 10),
            };
            let end = digits.find(|digit: char| !digit.is_digit(radix)).unwrap_or(digits.len());
            let code = u32::from_str_radix(digits.get(..end)?, radix).ok()?;
            let character = char::from_u32(code)?;
            let means = "<>&\"'=:".contains(character) || character.is_ascii_control();
            means.then_some((character, &digits[end..]))?
        }
        None => {
            let named = |(name, character)| Some((character, text.strip_prefix(name)?));
            NAMED.into_iter().find_map(named)?
        }
    };
    Some((character, rest.strip_prefix(';').unwrap_or(rest)))
}

fn one_line(text: &str) -> String {
    let is_blank = |c: char| c == ' ' || c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    let words = text.split(is_blank).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ").trim().to_owned()
}

/// Replaces the `<` with which a browser may begin a tag, and the `>` that would end it.
fn without_tags(text: &str) -> String {
    let mut within = false;
    let mut characters = text.chars().peekable();
    std::iter::from_fn(|| {
        let character = characters.next()?;
        let next = characters.peek().copied();
        // At the end of the text what follows is the ERP's.
        let begins = |next: char| next.is_ascii_alphabetic() || "/!?".contains(next);
        Some(match character {
            '<' if next.is_none_or(begins) => {
                within = true;
                '_'
            }
            '>' if std::mem::take(&mut within) => '_',
            other => other,
        })
    })
    .collect()
}

/// Whether the ERP's link to `text` would be a script. It takes for an address what has `://` in it.
fn is_script(text: &str) -> bool {
    const SCHEME: &str = "javascript:";
    text.get(..SCHEME.len()).is_some_and(|scheme| scheme.eq_ignore_ascii_case(SCHEME))
        && text.contains("://")
}
