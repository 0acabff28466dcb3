//! What a JWT says. Its signature is not checked: these are hints for people and for look-ups, never a decision.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::Value;

/// When it says that it expires.
pub(super) fn expiry(token: &str) -> Option<Timestamp> {
    Timestamp::from_second(claims(token)?.get("exp")?.as_i64()?).ok()
}

/// Its claims.
pub(super) fn claims(token: &str) -> Option<Value> {
    let payload = token.split('.').nth(1)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::{claims, expiry};

    #[test]
    fn the_end_is_read_from_the_payload() {
        // {"aud":"x","exp":1795349100}
        let token = "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJ4IiwiZXhwIjoxNzk1MzQ5MTAwfQ.c2lnbmF0dXJl";
        assert_eq!(expiry(token).unwrap().to_string(), "2026-11-22T12:05:00Z");
        // {"a":"~~~???"} takes the two letters that differ between the alphabets of base64.
        assert_eq!(claims("a.eyJhIjoifn5-Pz8_In0.c").unwrap()["a"], "~~~???");
    }

    #[test]
    fn anything_else_has_no_end() {
        for token in ["", "opaque", "a.b.c", "a.e30.c", "a.bnVsbA.c", "a.W10.c", "a.!!.c", ".."] {
            assert_eq!(expiry(token), None, "{token}");
        }
    }
}
