//! How deep JSON nests.

/// How deep `serde_json` reads (I9).
pub(crate) const READABLE_DEPTH: usize = 127;
/// How deep a value may nest that is written. It is not read alone: an operation, an event, or a failure event around that
/// one is around it.
pub(crate) const MAX_DEPTH: usize = 120;

/// Whether valid JSON text nests deeper than so many levels.
pub(crate) fn nests_deeper(json: &str, most: usize) -> bool {
    // Nearly all text has fewer brackets than that, and they are counted many at a time: in pieces whose count fits a byte.
    let opening = |piece: &[u8]| piece.iter().map(|byte| u8::from(byte | 0x20 == b'{')).sum::<u8>();
    let opening: usize = json.as_bytes().chunks(255).map(|piece| usize::from(opening(piece))).sum();
    opening > most && depth(json) > most
}

/// The depth of valid JSON text.
pub(crate) fn depth(json: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut bytes = json.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => loop {
                match bytes.next() {
                    Some(b'\\') => {
                        bytes.next();
                    }
                    Some(b'"') | None => break,
                    Some(_) => {}
                }
            },
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::{depth, nests_deeper};

    #[test]
    fn brackets_inside_strings_do_not_nest() {
        assert_eq!(depth(r#"{"a":[1,{"b":"[[[\"[["}]}"#), 3);
        assert_eq!(depth("5"), 0);
        assert_eq!(depth(r#""\\""#), 0);
        assert!(nests_deeper("[[[]]]", 2) && !nests_deeper("[[[]]]", 3));
        assert!(!nests_deeper("[[],[],[]]", 2));
    }
}
