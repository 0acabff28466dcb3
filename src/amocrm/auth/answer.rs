//! What the token endpoint answers: a pair, or why there is none.

use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::Value;

use super::error::{AUTHORISE, TokenError};
use super::pair::TokenPair;
use crate::outbound::{Answer, Redactor};

/// How long an access token lives, by amoCRM's documents.
const LIFE: SignedDuration = SignedDuration::from_hours(24);

/// What `expires_in` may say. With less, every call would be preceded by an exchange; with more, a refresh token would
/// expire unused.
const PLAUSIBLE: std::ops::RangeInclusive<f64> = 300.0..=2_678_400.0;

/// amoCRM's error body; `hint` is what tells one error from another.
#[derive(Default, Deserialize)]
struct Problem {
    #[serde(default)]
    hint: Option<String>,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    detail: Option<String>,
}

/// Reads the answer to a grant, which is spent where amoCRM issued a pair for it.
pub(super) fn read(
    answer: &Answer,
    redactor: &Redactor,
    now: Timestamp,
) -> Result<TokenPair, TokenError> {
    // Before anything else: nothing can replace the tokens of an answer, so nothing beside them, its status included,
    // is a reason to throw them away.
    if let Some(pair) = pair(&answer.body, now) {
        return Ok(pair);
    }
    if !answer.status.is_success() {
        return Err(classify(answer.status, &answer.body, redactor));
    }
    // The body may hold parts of tokens and is not quoted.
    let reason = format!("HTTP {} without tokens that can be read", answer.status.as_u16());
    Err(match answer.body.windows(14).any(|part| part == b"\"access_token\"") {
        // A pair was issued, and it broke off or was damaged on the way.
        true => TokenError::NeedsReauth { reason, remedy: AUTHORISE },
        // Perhaps a page of something in between, and amoCRM knows nothing of it.
        false => TokenError::OutcomeUnknown { reason, answered: true },
    })
}

/// The tokens of an answer. One of the two is enough: what is missing is left empty.
fn pair(body: &[u8], now: Timestamp) -> Option<TokenPair> {
    // Behind a byte order mark, or a warning that PHP printed; what follows is not looked at.
    let start = body.iter().position(|byte| *byte == b'{')?;
    let mut values = serde_json::Deserializer::from_slice(&body[start..]).into_iter::<Value>();
    let answer = values.next()?.ok()?;
    let token = |name: &str| answer[name].as_str().unwrap_or_default().trim().to_owned();
    let (access_token, refresh_token) = (token("access_token"), token("refresh_token"));
    if access_token.is_empty() && refresh_token.is_empty() {
        return None;
    }
    let life = match access_token.is_empty() {
        true => SignedDuration::ZERO,
        false => life(&answer["expires_in"]),
    };
    Some(TokenPair {
        access_token: access_token.into(),
        refresh_token: refresh_token.into(),
        obtained_at: now,
        expires_at: now.saturating_add(life).unwrap_or(Timestamp::MAX),
    })
}

/// How long the access token lives: as documented where the answer does not say, or nothing that can be true. Where
/// that is too long, amoCRM refuses the token, and it is renewed then.
fn life(expires_in: &Value) -> SignedDuration {
    let said = match expires_in {
        Value::String(text) => text.trim().parse().ok(),
        other => other.as_f64(),
    };
    let said = said.filter(|seconds| PLAUSIBLE.contains(seconds));
    said.map_or(LIFE, |seconds| SignedDuration::from_secs(seconds as i64))
}

/// What an error of the token endpoint means. 400 and 401 are used interchangeably, so the hint decides.
fn classify(status: StatusCode, body: &[u8], redactor: &Redactor) -> TokenError {
    let status = status.as_u16();
    let problem: Option<Problem> = serde_json::from_slice(body).ok();
    let known = problem.is_some();
    let Problem { hint, title, detail } = problem.unwrap_or_default();
    let text = hint.clone().or(title.clone()).or(detail);
    let text =
        text.map_or_else(|| redactor.excerpt(body), |text| redactor.excerpt(text.as_bytes()));
    let reason =
        if text.is_empty() { format!("HTTP {status}") } else { format!("HTTP {status}, {text}") };

    let words =
        format!("{} {}", hint.unwrap_or_default(), title.unwrap_or_default()).to_lowercase();
    let says = |list: &[&str]| list.iter().any(|word| words.contains(word));
    match status {
        400 | 401 if says(&["client_id", "client_secret", "redirect uri", "клиент", "account"]) => {
            TokenError::Config { reason }
        }
        400 | 401 if says(&["revoked", "expired", "invalid refresh token", "cannot decrypt"]) => {
            TokenError::NeedsReauth { reason, remedy: AUTHORISE }
        }
        403 => TokenError::Blocked { reason },
        429 => TokenError::Transient { reason, retry_after: None },
        // A proxy says so too when the answer of an exchange that took place did not reach it.
        408 | 500.. => TokenError::OutcomeUnknown { reason, answered: true },
        _ if known => TokenError::Config { reason },
        _ => TokenError::Config { reason: format!("{reason} (not amoCRM's token endpoint?)") },
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use serde_json::json;

    use super::{TokenError, classify};
    use crate::outbound::Redactor;

    fn meaning(status: u16, body: &str) -> &'static str {
        match classify(StatusCode::from_u16(status).unwrap(), body.as_bytes(), &Redactor::default())
        {
            TokenError::Transient { .. } => "transient",
            TokenError::NeedsReauth { .. } => "needs reauth",
            TokenError::Config { .. } => "config",
            TokenError::Blocked { .. } => "blocked",
            TokenError::OutcomeUnknown { .. } => "outcome unknown",
            other => panic!("{other} is no answer"),
        }
    }

    #[test]
    fn the_hint_decides_not_the_status() {
        for (hint, expected) in [
            ("Token has been revoked", "needs reauth"),
            ("Authorization code has expired", "needs reauth"),
            ("Authorization code has been revoked", "needs reauth"),
            ("Cannot decrypt the authorization code", "needs reauth"),
            ("Invalid refresh token", "needs reauth"),
            ("Check the `client_id` parameter", "config"),
            ("Check the `client_secret` parameter", "config"),
            ("Redirect URI is not associated with client", "config"),
            ("Invalid account", "config"),
            ("Something new", "config"),
        ] {
            for status in [400, 401] {
                let body = json!({"hint": hint, "title": "Некорректный запрос", "status": status});
                assert_eq!(meaning(status, &body.to_string()), expected, "{status} {hint}");
            }
        }
        assert_eq!(meaning(401, r#"{"title":"Некорректный клиент","status":401}"#), "config");
    }

    #[test]
    fn without_a_hint_the_status_decides() {
        let page = "<html><h1>nginx</h1></html>";
        for (status, expected) in [
            (400, "config"),
            (403, "blocked"),
            (404, "config"),
            (302, "config"),
            (429, "transient"),
            (408, "outcome unknown"),
            (500, "outcome unknown"),
            (502, "outcome unknown"),
            (503, "outcome unknown"),
            (504, "outcome unknown"),
        ] {
            assert_eq!(meaning(status, page), expected, "{status}");
        }
    }
}
