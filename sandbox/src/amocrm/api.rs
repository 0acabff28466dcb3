//! API v4: leads and what belongs to them, the account, webhooks.

use axum::body::Body;
use axum::response::Response;
use http::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use http::{HeaderValue, Method, StatusCode};
use serde_json::{Value, json};

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

/// HTTP 204: how amoCRM says "none".
pub(super) fn nothing() -> Response {
    answer_with(204, "application/hal+json", String::new())
}

fn problem(status: u16, title: &str, detail: &str) -> Response {
    let kind = format!("https://httpstatus.es/{status}");
    let body = json!({"title": title, "type": kind, "status": status, "detail": detail});
    answer_with(status, "application/problem+json", body.to_string())
}

/// An answer in JSON.
pub(super) fn json_answer(status: u16, body: &Value) -> Response {
    let kind = if status < 400 { "application/hal+json" } else { "application/problem+json" };
    answer_with(status, kind, body.to_string())
}

/// A page, as the proxy in front of amoCRM makes them.
pub(super) fn page(status: u16, html: &str) -> Response {
    answer_with(status, "text/html", html.to_owned())
}

/// HTTP 429.
pub(super) fn too_many_requests(retry_after: Option<u64>) -> Response {
    let mut answer = page(429, "<h1>429 Too Many Requests</h1>");
    if let Some(seconds) = retry_after {
        answer.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    answer
}

/// A redirect to `target`.
pub(super) fn redirect(target: &str) -> Response {
    let mut answer = page(302, "");
    if let Ok(target) = HeaderValue::from_str(target) {
        answer.headers_mut().insert(LOCATION, target);
    }
    answer
}

fn answer_with(status: u16, content_type: &'static str, body: String) -> Response {
    let mut answer = Response::new(Body::from(body));
    *answer.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}
