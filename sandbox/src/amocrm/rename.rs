//! An account that was renamed: nothing at its old address, and a place to ask for the new one.

use axum::response::Response;
use serde_json::json;

use super::State;
use super::answers::json_answer;
use super::oauth;
use crate::RecordedRequest;

const LOOK_UP: &str = "/oauth2/account/current/subdomain";

/// Whether `request` came to an address that the account does not have any more.
pub(super) fn is_elsewhere(state: &State, request: &RecordedRequest) -> bool {
    let domain = state.settings.domain.as_deref();
    domain.is_some_and(|domain| domain != request.header("host"))
}

/// The answer to a look-up, or at an old address; `None` when `request` is for the account itself.
pub(super) fn answer(state: &State, request: &RecordedRequest) -> Option<Response> {
    let settings = &state.settings;
    if request.uri.path() == LOOK_UP {
        if !state.refresh_tokens.contains(request.header("x-refresh-token")) {
            return Some(json_answer(401, &json!({"title": "Unauthorized", "status": 401})));
        }
        let domain = settings.domain.as_deref().unwrap_or_else(|| request.header("host"));
        let place = json!({
            "id": settings.account_id, "subdomain": settings.subdomain, "domain": domain,
            "top_level_domain": "ru",
        });
        return Some(json_answer(200, &place));
    }
    let problem = match request.uri.path() {
        oauth::PATH => {
            json!({"hint": "Invalid account", "title": "Некорректный запрос", "status": 401})
        }
        _ => {
            json!({"title": "Unauthorized", "detail": "Аккаунт не найден", "status": 401, "code": 101})
        }
    };
    is_elsewhere(state, request).then(|| json_answer(401, &problem))
}
