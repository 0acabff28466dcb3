//! The page on which an administrator gives consent. Here consent is always given.

use axum::response::Response;
use http::Uri;
use url::Url;

use super::State;
use super::answers::{page, redirect};

/// Where the page is; the real one is on the vendor's site.
pub(super) const PATH: &str = "/oauth";

/// Consents, and sends the browser back with a code.
pub(super) fn consent(state: &mut State, uri: &Uri, host: &str) -> Response {
    let query: Vec<(String, String)> =
        form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    let get = |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value);
    let settings = &state.settings;
    let Ok(mut back) = Url::parse(&settings.redirect_uri) else { return page(500, "") };
    if get("client_id") != Some(&settings.client_id) {
        return page(400, "<h1>no such integration</h1>");
    }
    let client_id = settings.client_id.clone();
    let code = state.new_token("code");
    state.codes.insert(code.clone());
    back.query_pairs_mut()
        .append_pair("code", &code)
        .append_pair("state", get("state").map(String::as_str).unwrap_or_default())
        .append_pair("referer", host)
        .append_pair("client_id", &client_id)
        .append_pair("platform", "1");
    redirect(back.as_str())
}
