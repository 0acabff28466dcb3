//! The answer to a request: as it should be, or as a test has asked for.

use axum::body::Body;
use axum::response::{Html, IntoResponse as _, Response};
use http::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};
use http::{HeaderMap, Method, StatusCode, Uri};
use serde_json::{Value, json};

use super::actions::{Refusal, act};
use super::pages::{LOCKED, TYPE_ERROR, UNAVAILABLE, WARNING, failed_insert, no_database};
use super::request::{QUESTION, action, parameters};
use super::settings::{ErpVersion, FakeErpSettings, Php};
use super::{ErpFailure, State};

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
    let failure = match (state.broken.pop_front(), action(headers, body).as_str()) {
        (None, action) if ![QUESTION, "get_entity_fields"].contains(&action) => {
            state.failures.pop_front()
        }
        (broken, _) => broken,
    };
    let parameters = parameters(state.settings.version, headers, body);
    let insert = |state: &mut State| drop(act(state, &parameters));
    let answer = match failure {
        None => match act(state, &parameters) {
            Ok(data) => reply(StatusCode::OK, &success(&state.settings, &data)),
            Err(Refusal::Error(code, message)) => refusal(&state.settings, &code, &message),
            Err(Refusal::Page(page)) => Html(page).into_response(),
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
            Html(failed_insert(&state.settings, LOCKED, &parameters)).into_response()
        }
        Some(ErpFailure::InsertThenHtml) => {
            insert(state);
            Html(failed_insert(&state.settings, LOCKED, &parameters)).into_response()
        }
        Some(ErpFailure::NoDatabase) => Html(no_database()).into_response(),
        Some(ErpFailure::Empty500) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Some(ErpFailure::InsertThenEmpty500) => {
            insert(state);
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
        Some(ErpFailure::Error { code, message }) => refusal(&state.settings, &code, &message),
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

/// A select also says which page of how many it is, since 3.6.
fn success(settings: &FakeErpSettings, data: &Value) -> Value {
    let rows = data.as_array().map(Vec::len);
    let mut reply = json!({"status": "success", "data": data});
    if let (ErpVersion::V362, Some(rows)) = (settings.version, rows) {
        reply["page"] = 1.into();
        reply["number_of_rows"] = rows.into();
        reply["number_of_pages"] = 1.into();
    }
    reply
}

/// 3.6.2 makes the error's code the HTTP status, which PHP refuses to do with a word.
fn refusal(settings: &FakeErpSettings, code: &str, message: &str) -> Response {
    let body =
        |code: Value| json!({"status": "error", "error_code": code, "error_message": message});
    let status = code.parse().ok().and_then(|code| StatusCode::from_u16(code).ok());
    match (settings.version, status, settings.php) {
        (ErpVersion::V344, Some(_), _) => reply(StatusCode::OK, &body("".into())),
        (ErpVersion::V344, None, _) => reply(StatusCode::OK, &body(code.into())),
        (ErpVersion::V362, Some(status), _) => reply(status, &body(status.as_u16().into())),
        (ErpVersion::V362, None, Php::Seven) if settings.display_errors => {
            any(200, format!("{WARNING}{}", body(code.into())))
        }
        (ErpVersion::V362, None, Php::Seven) => reply(StatusCode::OK, &body(code.into())),
        (ErpVersion::V362, None, Php::Eight) if settings.display_errors => {
            page(StatusCode::OK, TYPE_ERROR)
        }
        (ErpVersion::V362, None, Php::Eight) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
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
