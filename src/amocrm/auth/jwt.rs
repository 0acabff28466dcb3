use jiff::Timestamp;

/// When a JWT says that it ends. The signature is not checked: this is a hint for people, not a decision.
pub(in crate::amocrm) fn expiry(token: &str) -> Option<Timestamp> {
    Timestamp::from_second(claims(token)?.get("exp")?.as_i64()?).ok()
}

/// What a JWT says, unchecked.
pub(in crate::amocrm) fn claims(token: &str) -> Option<serde_json::Value> {
    let payload = token.split('.').nth(1)?;
    serde_json::from_slice(&base64url(payload)?).ok()
}

/// Decodes base64 as JWTs use it: the alphabet for URLs, no padding.
fn base64url(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    let (mut group, mut bits) = (0u32, 0);
    for character in text.bytes() {
        let sextet = match character {
            b'A'..=b'Z' => character - b'A',
            b'a'..=b'z' => character - b'a' + 26,
            b'0'..=b'9' => character - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            _ => return None,
        };
        group = (group << 6) | u32::from(sextet);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((group >> bits) as u8);
            group &= (1 << bits) - 1;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::{base64url, expiry};

    #[test]
    fn the_end_is_read_from_the_payload() {
        // {"aud":"x","exp":1795349100}
        let token = "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJ4IiwiZXhwIjoxNzk1MzQ5MTAwfQ.c2lnbmF0dXJl";
        assert_eq!(expiry(token).unwrap().to_string(), "2026-11-22T12:05:00Z");
    }

    #[test]
    fn anything_else_has_no_end() {
        for token in ["", "opaque", "a.b.c", "a.e30.c", "a.bnVsbA.c", "a.W10.c", "a.!!.c", ".."] {
            assert_eq!(expiry(token), None, "{token}");
        }
        assert_eq!(base64url("_-8"), Some(vec![0xff, 0xef]));
    }
}
