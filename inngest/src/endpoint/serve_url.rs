//! Where Inngest finds this endpoint.

use http::header::HOST;
use http::request::Parts;
use url::Url;

use crate::Settings;

/// Parameters that belong to one request, not to the endpoint (P-023).
const TRANSIENT: [&str; 4] = ["deployId", "fnId", "stepId", "probe"];

/// Proxies refuse long request lines, a stock one at 8,190 bytes, and the server adds to the URL.
const MAX_BYTES: usize = 2048;

/// Where an endpoint is unless the settings say otherwise (P-094).
pub(super) const DEFAULT_PATH: &str = "/api/inngest";

/// The URL to register for an unsigned request: what the settings say, and nothing else.
///
/// `None` where they do not say it: no origin, or no path for a request that went elsewhere than to the usual one. A
/// trailing slash makes no difference to us and may make one to a proxy, so it is not taken over.
pub(super) fn of_settings(settings: &Settings, requested_path: &str) -> Option<Url> {
    let origin = settings.serve_origin.as_deref()?;
    let usual = at(origin, DEFAULT_PATH).ok()?;
    let requested = at(origin, requested_path.trim_end_matches('/')).ok()?;
    match &settings.serve_path {
        Some(path) => at(origin, path).ok(),
        None => (requested == usual).then_some(usual),
    }
}

/// A path at an origin, which may have a path of its own: what a proxy takes off before it passes a request on. A path
/// that has it still is whole.
fn at(origin: &str, path: &str) -> Result<Url, url::ParseError> {
    let mut url = Url::parse(origin)?;
    let own = url.path().trim_end_matches('/').to_owned();
    let rest = path.strip_prefix(&*own).filter(|rest| rest.is_empty() || rest.starts_with('/'));
    // Not `join`: to that, a path such as `//other.example/` is another host.
    url.set_path(&format!("{own}{}", rest.unwrap_or(path)));
    Ok(url)
}

/// The URL to register for a request whose signature is verified.
///
/// `signed` is the URL that the server says it used, where a signature covers it. Then that URL alone
/// counts: the signature does not cover host, path and query, which a replay can change. Else the URL is as the request
/// was addressed, or as `announced` says for that host: a proxy may have changed scheme and path. The settings go before
/// all of these.
pub(super) fn of_request(
    settings: &Settings,
    parts: &Parts,
    signed: Option<&Url>,
    announced: Option<&Url>,
) -> Result<Url, String> {
    let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = host.or_else(|| parts.uri.authority().map(http::uri::Authority::as_str));
    let announced = announced
        .filter(|url| Some(&url[url::Position::BeforeHost..url::Position::AfterPort]) == host);
    let used = signed.or(announced);
    let origin = match (&settings.serve_origin, used, host) {
        (Some(origin), _, _) => origin.clone(),
        (None, Some(used), _) => used.origin().ascii_serialization(),
        (None, None, Some(host)) => format!("{}://{host}", scheme(parts)),
        (None, None, None) => {
            return Err("the request has no Host header; set INNGEST_SERVE_ORIGIN to the URL at \
                        which Inngest reaches this app"
                .to_owned());
        }
    };
    let (path, query) = match used {
        Some(used) => (used.path(), used.query()),
        None => (parts.uri.path(), parts.uri.query()),
    };
    let path = settings.serve_path.as_deref().unwrap_or(path);
    let mut url = at(&origin, path)
        .map_err(|_| format!("`{origin}{path}` is no URL; set INNGEST_SERVE_ORIGIN"))?;
    let kept: Vec<_> = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes())
        .filter(|(name, _)| !TRANSIENT.contains(&&**name))
        .collect();
    if !kept.is_empty() {
        url.query_pairs_mut().extend_pairs(kept);
    }
    if url.as_str().len() > MAX_BYTES {
        return Err(format!(
            "the URL to register is longer than {MAX_BYTES} bytes; shorten its query"
        ));
    }
    Ok(url)
}

/// Behind a proxy the scheme is what `X-Forwarded-Proto` says.
fn scheme(parts: &Parts) -> &str {
    parts
        .headers
        .get("x-forwarded-proto")
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(',').next())
        .map(str::trim)
        .filter(|scheme| matches!(*scheme, "http" | "https"))
        .unwrap_or("http")
}
