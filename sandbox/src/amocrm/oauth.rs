//! The token endpoint. A code and a refresh token can be used once; a second use is refused.

use axum::response::Response;
use serde_json::{Value, json};

use super::State;
use super::answers::json_answer;

/// Where tokens are exchanged.
pub(super) const PATH: &str = "/oauth2/access_token";

/// Answers one exchange, with the members of `altered` in place of the answer's own.
pub(super) fn exchange(state: &mut State, body: &[u8], altered: &Value) -> Response {
    let request: Value = serde_json::from_slice(body).unwrap_or_default();
    let field = |name: &str| request[name].as_str().unwrap_or_default().to_owned();
    let settings = &state.settings;
    if (field("client_id"), field("client_secret"))
        != (settings.client_id.clone(), settings.client_secret.clone())
    {
        return json_answer(401, &problem(401, None, "Некорректный клиент"));
    }
    if field("redirect_uri") != settings.redirect_uri {
        return refused(400, "Redirect URI is not associated with client");
    }
    match field("grant_type").as_str() {
        "authorization_code" => {
            if !state.codes.remove(&field("code")) {
                return refused(400, "Authorization code has been revoked");
            }
        }
        "refresh_token" => {
            let token = field("refresh_token");
            if !state.refresh_tokens.remove(&token) {
                state.spent_twice += usize::from(state.spent.contains(&token));
                return refused(401, "Token has been revoked");
            }
            state.spent.insert(token);
        }
        _ => return refused(400, "Check the `grant_type` parameter"),
    }
    let mut access = state.new_token("access");
    if let Some(api_domain) = &state.settings.api_domain {
        let account_id = state.settings.account_id;
        access = jwt(&access, &json!({"api_domain": api_domain, "account_id": account_id}));
    }
    let refresh = state.new_token("refresh");
    state.access_tokens.insert(access.clone());
    state.refresh_tokens.insert(refresh.clone());
    let expires_in = state.settings.expires_in;
    let mut answer = json!({
        "token_type": "Bearer", "expires_in": expires_in, "access_token": access, "refresh_token": refresh,
    });
    for (name, value) in altered.as_object().into_iter().flatten() {
        answer[name] = value.clone();
    }
    json_answer(200, &answer)
}

fn refused(status: u16, hint: &str) -> Response {
    json_answer(status, &problem(status, Some(hint), "Некорректный запрос"))
}

fn problem(status: u16, hint: Option<&str>, title: &str) -> Value {
    let mut problem = json!({
        "title": title, "type": "https://developers.amocrm.ru/v3/errors/OAuthProblemJson", "status": status,
        "detail": "В запросе отсутствует ряд параметров или параметры невалидны",
    });
    if let Some(hint) = hint {
        problem["hint"] = hint.into();
    }
    problem
}

/// A token in the form of a JWT, with a signature that is not checked.
pub(super) fn long_lived_token(id: &str, expires_at: i64) -> String {
    jwt(id, &json!({"jti": id, "exp": expires_at, "scopes": ["crm"]}))
}

fn jwt(id: &str, claims: &Value) -> String {
    let claims = base64url(claims.to_string().as_bytes());
    format!("{}.{claims}.{id}", base64url(br#"{"alg":"RS256"}"#))
}

/// Base64 for URLs, without padding.
fn base64url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0u32, |group, byte| (group << 8) | u32::from(*byte));
        let group = group << (8 * (3 - chunk.len()));
        for position in 0..=chunk.len() {
            let sextet = (group >> (18 - 6 * position)) & 63;
            text.push(char::from(ALPHABET[sextet as usize]));
        }
    }
    text
}
