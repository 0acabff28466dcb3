//! The API itself: checks in the real order, then the action.

use axum::body::Body;
use axum::response::{Html, IntoResponse as _, Response};
use http::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};
use http::{HeaderMap, Method, StatusCode, Uri};
use serde_json::{Map, Value, json};

use super::pages::{TYPE_ERROR, UNAVAILABLE, failed_query, no_database};
use super::request::{fields, parameters, plain, text};
use super::{ErpFailure, ErpRow, ErpVersion, FakeErpSettings, State};

/// The id of the first record.
const FIRST_ID: u64 = 119;

/// How the API refuses: a code, which may be a word, and a text.
struct ApiError(String, String);

impl ApiError {
    fn of(message: impl Into<String>) -> Self {
        Self("500".to_owned(), message.into())
    }

    fn coded(code: &str, message: &str) -> Self {
        Self(code.to_owned(), message.to_owned())
    }
}

/// The answer to a request; `None` when there is none, ever.
pub(super) fn answer(
    state: &mut State,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: &[u8],
) -> Option<Response> {
    if method != Method::POST || uri.path() != "/api/rest.php" {
        return Some(page(StatusCode::NOT_FOUND, "<h1>Not Found</h1>"));
    }
    let failure = state.failures.pop_front();
    let parameters = parameters(state.settings.version, headers, body);
    let insert = |state: &mut State| drop(act(state, &parameters));
    let answer = match failure {
        None => match act(state, &parameters) {
            Ok(data) => reply(StatusCode::OK, &json!({"status": "success", "data": data})),
            Err(error) => refusal(&state.settings, &error),
        },
        Some(ErpFailure::Unavailable { retry_after }) => {
            let mut answer = page(StatusCode::SERVICE_UNAVAILABLE, UNAVAILABLE);
            if let Some(seconds) = retry_after {
                answer.headers_mut().insert(RETRY_AFTER, seconds.into());
            }
            answer
        }
        Some(ErpFailure::BadGateway) => page(StatusCode::BAD_GATEWAY, "<h1>502 Bad Gateway</h1>"),
        Some(ErpFailure::InsertThenBadGateway) => {
            insert(state);
            page(StatusCode::BAD_GATEWAY, "<h1>502 Bad Gateway</h1>")
        }
        Some(ErpFailure::Hang) => return None,
        Some(ErpFailure::InsertThenHang) => {
            insert(state);
            return None;
        }
        Some(ErpFailure::HangThenInsert) => {
            state.late.push(parameters);
            return None;
        }
        Some(ErpFailure::DatabaseError) => {
            Html(failed_query(&state.settings, &parameters)).into_response()
        }
        Some(ErpFailure::InsertThenHtml) => {
            insert(state);
            Html(failed_query(&state.settings, &parameters)).into_response()
        }
        Some(ErpFailure::NoDatabase) => Html(no_database()).into_response(),
        Some(ErpFailure::Empty500) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Some(ErpFailure::InsertThenEmpty500) => {
            insert(state);
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
        Some(ErpFailure::Error { code, message }) => {
            refusal(&state.settings, &ApiError(code, message))
        }
        Some(ErpFailure::Redirect(target)) => {
            let mut answer = page(StatusCode::TEMPORARY_REDIRECT, "");
            if let Ok(target) = target.parse() {
                answer.headers_mut().insert(LOCATION, target);
            }
            answer
        }
        Some(ErpFailure::Answer { status, body }) => any(status, body),
        Some(ErpFailure::InsertThenAnswer { status, body }) => {
            insert(state);
            any(status, body)
        }
    };
    Some(answer)
}

/// Does what was asked for by requests whose callers have gone.
pub(super) fn finish_late_inserts(state: &mut State) {
    for parameters in std::mem::take(&mut state.late) {
        drop(act(state, &parameters));
    }
}

fn act(state: &mut State, parameters: &Map<String, Value>) -> Result<Value, ApiError> {
    let required = |name: &str| match text(parameters, name) {
        value if value.is_empty() => Err(ApiError::of(format!("{name} is required"))),
        value => Ok(value),
    };
    if required("key")? != state.settings.key {
        return Err(ApiError::of("API Key mismatch"));
    }
    let username = required("username")?;
    let password = required("password")?;
    if (username, password) != (state.settings.username.clone(), state.settings.password.clone()) {
        return Err(ApiError::coded("login_fail", "No match for Username and/or Password"));
    }
    let action = required("action")?;
    let entity_id = required("entity_id")?;
    if entity_id != state.settings.entity_id.to_string() {
        return Err(ApiError::of(format!("entity {entity_id} not found")));
    }
    match action.as_str() {
        "insert" => insert(state, &fields(parameters, "items")),
        "select" => Ok(select(state, parameters)),
        "update" => update(state, parameters),
        "get_entity_fields" => Ok(entity_fields(&state.settings)),
        _ => Err(ApiError::of(format!("action \"{action}\" not exist"))),
    }
}

fn insert(state: &mut State, items: &Map<String, Value>) -> Result<Value, ApiError> {
    if state.settings.may_only_view {
        return Err(ApiError::coded("access_denied", "Access denied"));
    }
    if items.is_empty() {
        return Err(ApiError::of("items is ampty"));
    }
    let settings = &state.settings;
    let known = |field: &String| field == "created_by" || settings.fields.contains(field);
    if let Some(unknown) = items.keys().find(|field| !known(field)) {
        let entity_id = settings.entity_id;
        return Err(ApiError::of(format!("{unknown} not exist in entity {entity_id}")));
    }
    if let Some(unique) = &settings.unique_field
        && let Some(value) = items.get(unique)
        && state.rows.iter().any(|row| row.fields.get(unique).map(plain) == Some(plain(value)))
    {
        let warning = json!({"id": column(unique), "value": plain(value)});
        return Ok(json!({"id": "", "unique_fields_warning": [warning]}));
    }
    let id = state.rows.last().map_or(FIRST_ID, |row| row.id + 1);
    let fields = items.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    state.rows.push(ErpRow { id, fields });
    Ok(json!({"id": id.to_string()}))
}

/// Any field may choose the records, and all that match are changed. Unknown fields are silently left out.
fn update(state: &mut State, parameters: &Map<String, Value>) -> Result<Value, ApiError> {
    if state.settings.may_only_view {
        return Err(ApiError::coded("access_denied", "Access denied"));
    }
    let (data, by) = (fields(parameters, "data"), fields(parameters, "update_by_field"));
    let Some((by, wanted)) = by.iter().next().map(|(field, value)| (field, plain(value))) else {
        return Err(ApiError::of("update_by_field is required"));
    };
    let known = |field: &String| state.settings.fields.contains(field);
    let data: Vec<_> = data.into_iter().filter(|(field, _)| known(field)).collect();
    let chosen = |row: &ErpRow| match by.as_str() {
        "id" => row.id.to_string() == wanted,
        field => row.fields.get(field).map(plain).as_ref() == Some(&wanted),
    };
    let mut ids = Vec::new();
    for row in state.rows.iter_mut().filter(|row| chosen(row)) {
        row.fields.extend(data.iter().cloned());
        ids.push(row.id.to_string());
    }
    Ok(json!({"id": ids.join(",")}))
}

fn select(state: &State, parameters: &Map<String, Value>) -> Value {
    if state.settings.hides_rows {
        return json!([]);
    }
    let known: Vec<&str> = state.settings.fields.iter().map(|field| column(field)).collect();
    let mut filters = fields(parameters, "filters");
    // Unknown fields, empty values and numbers where a text belongs are silently skipped.
    filters.retain(|field, value| {
        known.contains(&field.as_str()) && value.as_str().is_some_and(|value| !value.is_empty())
    });
    if state.settings.ignores_filters {
        filters.clear();
    }
    let limit = text(parameters, "limit").parse().unwrap_or(usize::MAX);
    let columns = text(parameters, "select_fields");
    let columns: Vec<&str> = columns.split(',').filter(|name| known.contains(name)).collect();
    let value = |row: &ErpRow, column: &str| {
        row.fields.get(&format!("field_{column}")).map(plain).unwrap_or_default()
    };
    let matching = state
        .rows
        .iter()
        .filter(|row| filters.iter().all(|(column, wanted)| value(row, column) == plain(wanted)));
    let rows = matching.take(limit).map(|row| {
        let mut shown = Map::new();
        shown.insert("id".to_owned(), row.id.to_string().into());
        shown.insert("parent_item_id".to_owned(), "0".into());
        for name in &columns {
            shown.insert((*name).to_owned(), value(row, name).into());
        }
        Value::Object(shown)
    });
    rows.collect()
}

fn entity_fields(settings: &FakeErpSettings) -> Value {
    let field = |name: &String| json!({"id": column(name), "name": name});
    settings.fields.iter().map(field).collect()
}

fn column(field: &str) -> &str {
    field.strip_prefix("field_").unwrap_or(field)
}

/// 3.6.2 makes the error's code the HTTP status, which PHP 8 refuses to do with a word.
fn refusal(settings: &FakeErpSettings, ApiError(code, message): &ApiError) -> Response {
    let body =
        |code: Value| json!({"status": "error", "error_code": code, "error_message": message});
    let status = code.parse().ok().and_then(|code| StatusCode::from_u16(code).ok());
    match (settings.version, status) {
        (ErpVersion::V344, Some(_)) => reply(StatusCode::OK, &body("".into())),
        (ErpVersion::V344, None) => reply(StatusCode::OK, &body(code.as_str().into())),
        (ErpVersion::V362, Some(status)) => reply(status, &body(status.as_u16().into())),
        (ErpVersion::V362, None) if settings.display_errors => page(StatusCode::OK, TYPE_ERROR),
        (ErpVersion::V362, None) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn reply(status: StatusCode, body: &Value) -> Response {
    let mut answer = Response::new(Body::from(body.to_string()));
    *answer.status_mut() = status;
    // PHP's default: the API does not say that it answers JSON.
    let html = http::HeaderValue::from_static("text/html; charset=UTF-8");
    answer.headers_mut().insert(CONTENT_TYPE, html);
    answer
}

fn page(status: StatusCode, html: &'static str) -> Response {
    (status, Html(html)).into_response()
}

fn any(status: u16, body: String) -> Response {
    (StatusCode::from_u16(status).unwrap_or(StatusCode::OK), Html(body)).into_response()
}
