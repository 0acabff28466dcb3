//! `multipart/form-data`, of which only short text fields are wanted and which is held whole. The crates for it read
//! streams, and bring more than this.

use functions::webhook::Fields;

/// The longest boundary that the standard allows.
const BOUNDARY_LIMIT: usize = 70;

/// What separates the parts: the first line says it, or else the content type, where other text comes before the first
/// part. A content type that names a boundary which the body does not have is wrong.
pub(super) fn boundary(content_type: Option<&str>, text: &[u8]) -> Option<String> {
    let line = text.split(|byte| *byte == b'\n').next().and_then(|line| line.strip_prefix(b"--"));
    let boundary = match line {
        Some(line) => str::from_utf8(line.trim_ascii_end()).ok()?,
        None => parameter(content_type.filter(|value| is_multipart(value))?, "boundary=")?,
    };
    let delimiter = format!("--{boundary}");
    let allowed = (1..=BOUNDARY_LIMIT).contains(&boundary.len());
    let stands_in = || text.windows(delimiter.len()).any(|bytes| bytes == delimiter.as_bytes());
    (allowed && (line.is_some() || stands_in())).then(|| boundary.to_owned())
}

fn is_multipart(content_type: &str) -> bool {
    content_type.get(..10).is_some_and(|start| start.eq_ignore_ascii_case("multipart/"))
}

/// Adds the fields of a form. Returns whether all of it could be read.
pub(super) fn read(text: &[u8], boundary: &str, fields: &mut Fields) -> bool {
    let text = String::from_utf8_lossy(text);
    let delimiter = format!("\n--{boundary}");
    let Some((_, parts)) = text.split_once(&delimiter[1..]) else { return false };
    let (mut parts, mut whole) = (parts.split(delimiter.as_str()).peekable(), true);
    while let Some(part) = parts.next() {
        if part.starts_with("--") {
            return whole;
        }
        // What no boundary follows may have been cut off, in the middle of an id.
        match field(part).filter(|_| parts.peek().is_some()) {
            Some((name, value)) => fields.add(name, value),
            None => whole = false,
        }
    }
    false
}

/// The name and the value of a part: headers, an empty line, and what is left.
fn field(part: &str) -> Option<(&str, &str)> {
    let (_, mut rest) = part.split_once('\n')?;
    let mut name = None;
    loop {
        let (line, after) = rest.split_once('\n')?;
        rest = after;
        let (header, value) = match line.trim_end().split_once(':') {
            Some(header) => header,
            None if line.trim_end().is_empty() => break,
            None => return None,
        };
        if header.eq_ignore_ascii_case("content-disposition") {
            name = parameter(value, "name=");
        }
    }
    Some((name?, rest.strip_suffix('\r').unwrap_or(rest)))
}

/// A parameter of a header, such as `name="leads[add][0][id]"`. None that matters holds a semicolon.
fn parameter<'h>(header: &'h str, name: &str) -> Option<&'h str> {
    let mut parameters = header.split(';').skip(1).map(str::trim);
    parameters
        .find_map(|parameter| parameter.strip_prefix(name))
        .map(|value| value.trim_matches('"'))
}
