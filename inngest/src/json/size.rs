//! How large JSON is to the server, which writes it anew before it looks (I3).

/// The bytes of JSON text as the server counts them: as Go writes it, where `<`, `>`, `&` and two line separators take six
/// bytes each.
pub(crate) fn counted(json: &str) -> usize {
    let markup = json.bytes().filter(|byte| matches!(byte, b'<' | b'>' | b'&')).count();
    // Three bytes of UTF-8 as they are.
    let separators = json.matches(['\u{2028}', '\u{2029}']).count();
    json.len() + 5 * markup + 3 * separators
}

/// The same, where it matters only whether it is more than `limit`: short text is not looked at.
pub(super) fn counted_beyond(json: &str, limit: usize) -> Option<usize> {
    if json.len() <= limit / 6 {
        return None;
    }
    Some(counted(json)).filter(|&size| size > limit)
}

#[cfg(test)]
mod tests {
    use super::{counted, counted_beyond};

    #[test]
    fn characters_that_go_escapes_take_six_bytes() {
        assert_eq!(counted(r#""<a>&\u003c""#), 2 + 3 * 6 + 1 + 6);
        assert_eq!(counted("\"\u{2028}\u{2029}\u{2027}\""), 2 + 6 + 6 + 3);
        assert_eq!(counted_beyond("<<<<", 24), None);
        assert_eq!(counted_beyond("<<<<", 23), Some(24));
        assert_eq!(counted_beyond("aaaa", 24), None);
    }
}
