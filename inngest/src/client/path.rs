//! Paths on Inngest's servers. Nothing else in this package, or around it, writes one.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::form_urlencoded::byte_serialize;

/// What a path segment cannot hold as it is: all but the `pchar` of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@');

/// The same, and what Go's `net/url` escapes beyond it.
const RESERVED_IN_GO: &AsciiSet = &RESERVED.add(b'!').add(b'\'').add(b'(').add(b')').add(b'*');

/// `/a/b/c` of these segments, with at most one query parameter.
pub(crate) fn path(segments: &[&str], query: Option<(&str, &str)>) -> String {
    let mut path = String::new();
    for text in segments {
        path.push('/');
        path.push_str(&segment(text));
    }
    if let Some((name, value)) = query {
        path.extend(["?", name, "="].into_iter().chain(byte_serialize(value.as_bytes())));
    }
    path
}

/// One segment, so that Inngest's server compares it as it was before.
///
/// That server looks at the decoded path only where the path came exactly as Go itself would have escaped it, and
/// otherwise at the path as it came (P-172). So what can stand in a path goes unescaped; and a text of which something
/// must be escaped is escaped as Go does it. A `/` can reach the server in neither way.
fn segment(text: &str) -> String {
    let plain = utf8_percent_encode(text, RESERVED).to_string();
    if plain == text { plain } else { utf8_percent_encode(text, RESERVED_IN_GO).to_string() }
}

#[cfg(test)]
mod tests {
    use super::path;

    #[test]
    fn what_a_segment_can_hold_goes_as_it_is() {
        let uuid = "2f1c6f0e-93a5-4c4e-8a39-0d7a2f0a1b2c";
        for key in ["my-event-key", "evt_key_1", uuid, "q+u3w==", "a.b~c", "x:y@z!$&'()*+,;="] {
            assert_eq!(path(&["e", key], None), format!("/e/{key}"));
        }
    }

    #[test]
    fn what_it_cannot_hold_is_escaped_as_go_does() {
        for (key, escaped) in [
            ("a b", "a%20b"),
            ("100%!", "100%25%21"),
            ("a%2Fb", "a%252Fb"),
            ("a?b#c", "a%3Fb%23c"),
            ("(a)[b]*'", "%28a%29%5Bb%5D%2A%27"),
            ("ключ-1", "%D0%BA%D0%BB%D1%8E%D1%87-1"),
            ("q+u/3w==", "q+u%2F3w=="),
        ] {
            assert_eq!(path(&["e", key], None), format!("/e/{escaped}"));
        }
    }

    #[test]
    fn a_value_in_the_query_cannot_end_it() {
        assert_eq!(
            path(&["fn", "register"], Some(("deployId", "01D&x=1+2 3#"))),
            "/fn/register?deployId=01D%26x%3D1%2B2+3%23"
        );
    }
}
