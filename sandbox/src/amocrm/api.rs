//! API v4: leads and what belongs to them, the account, webhooks.

use axum::response::Response;
use http::Method;
use http::header::AUTHORIZATION;
use serde_json::{Value, json};

use super::answers::{json_answer, nothing, problem};
use super::{State, entities};
use crate::RecordedRequest;

/// Answers one call.
pub(super) fn answer(state: &mut State, request: &RecordedRequest) -> Response {
    let bearer = request.header(AUTHORIZATION.as_str()).strip_prefix("Bearer ").unwrap_or_default();
    if !state.access_tokens.contains(bearer) {
        return problem(401, "Unauthorized", "Неверный логин или пароль");
    }
    let path = request.uri.path();
    match (&request.method, path) {
        (&Method::GET, "/api/v4/account") => json_answer(
            200,
            &json!({
                "id": state.settings.account_id, "subdomain": state.settings.subdomain,
                "name": "Fake account", "currency": "RUB",
            }),
        ),
        (&Method::GET, "/api/v4/events") if state.events.refuses(&request.uri) => {
            problem(400, "Bad Request", "Request validation failed")
        }
        (&Method::GET, "/api/v4/events") => match state.events.page(&request.uri) {
            Some(page) => json_answer(200, &page),
            None => nothing(),
        },
        (_, "/api/v4/webhooks") if !state.settings.is_admin => {
            problem(403, "Forbidden", "Недостаточно прав")
        }
        (method, "/api/v4/webhooks") => webhooks(state, method, &request.body),
        (&Method::GET, _) => match path.strip_prefix("/api/v4/leads/").map(str::parse::<u64>) {
            Some(Ok(id)) if state.refused_leads.contains_key(&id) => {
                problem(state.refused_leads[&id], "Refused", "Refused")
            }
            Some(Ok(id)) if asks_for_deleted(request) => match state.bin.contains_key(&id) {
                true => json_answer(200, &json!({"id": id, "is_deleted": true})),
                false => nothing(),
            },
            Some(Ok(id)) => state.leads.get(&id).map_or_else(nothing, |lead| {
                json_answer(200, &entities::shown(lead, &request.uri))
            }),
            _ => entities::answer(state, path)
                .unwrap_or_else(|| problem(404, "Not Found", "Not Found")),
        },
        _ => problem(405, "Method Not Allowed", "Method Not Allowed"),
    }
}

/// Then a lead that is not deleted is not found.
fn asks_for_deleted(request: &RecordedRequest) -> bool {
    let query = request.uri.query().unwrap_or_default();
    form_urlencoded::parse(query.as_bytes())
        .any(|(name, value)| name == "with" && value.split(',').any(|with| with == "only_deleted"))
}

fn webhooks(state: &mut State, method: &Method, body: &[u8]) -> Response {
    let request: Value = serde_json::from_slice(body).unwrap_or_default();
    let destination = request["destination"].as_str().unwrap_or_default().to_owned();
    match *method {
        Method::GET if state.webhooks.is_empty() => nothing(),
        Method::GET => {
            let webhooks: Vec<&Value> = state.webhooks.values().collect();
            let total = webhooks.len();
            json_answer(200, &json!({"_total_items": total, "_embedded": {"webhooks": webhooks}}))
        }
        Method::POST if !destination.is_empty() => {
            let webhook = webhook(state, &destination, &request["settings"], false);
            state.webhooks.insert(destination, webhook.clone());
            json_answer(201, &webhook)
        }
        Method::DELETE if state.webhooks.remove(&destination).is_some() => nothing(),
        Method::DELETE => problem(404, "Not Found", "Webhook not found"),
        _ => problem(400, "Bad Request", "Request validation failed"),
    }
}

/// A webhook as the API shows it.
pub(super) fn webhook(state: &State, destination: &str, settings: &Value, disabled: bool) -> Value {
    json!({
        "id": 839_656, "destination": destination, "account_id": state.settings.account_id,
        "sort": 1, "disabled": disabled, "settings": settings,
    })
}
