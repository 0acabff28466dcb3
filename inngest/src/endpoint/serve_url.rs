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
    let usual = requested_path.trim_end_matches('/') == DEFAULT_PATH;
    let path = settings.serve_path.as_deref().or(usual.then_some(DEFAULT_PATH))?;
    let mut url = Url::parse(settings.serve_origin.as_deref()?).ok()?;
    url.set_path(path);
    Some(url)
}

/// The URL to register for a request whose signature is verified.
///
/// `signed` is the URL that the server says it used, where a signature covers it. Then that URL alone
/// counts: the signature does not cover host, path and query, which a replay can change. Else the URL is as the request
/// was addressed. The settings go before both.
pub(super) fn of_request(
    settings: &Settings,
    parts: &Parts,
    signed: Option<&Url>,
    announced: Option<&Url>,
) -> Result<Url, String> {
    let origin = match (&settings.serve_origin, signed) {
        (Some(origin), _) => origin.clone(),
        (None, Some(signed)) => signed.origin().ascii_serialization(),
        (None, None) => as_addressed(parts, announced)?,
    };
    let (path, query) = match signed {
        Some(signed) => (signed.path(), signed.query()),
        None => (parts.uri.path(), parts.uri.query()),
    };
    let path = settings.serve_path.as_deref().unwrap_or(path);
    let mut url = Url::parse(&origin)
        .map_err(|_| format!("`{origin}{path}` is no URL; set INNGEST_SERVE_ORIGIN"))?;
    // Not `join`: to that, a path such as `//other.example/` is another host.
    url.set_path(path);
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

/// Behind a proxy the scheme is what `X-Forwarded-Proto` says; without one it is that of `announced`, where that names
/// the same host.
fn as_addressed(parts: &Parts, announced: Option<&Url>) -> Result<String, String> {
    let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = host.or_else(|| parts.uri.authority().map(http::uri::Authority::as_str));
    match host {
        Some(host) => Ok(format!("{}://{host}", scheme(parts, host, announced))),
        None => Err("the request has no Host header; set INNGEST_SERVE_ORIGIN to the URL at \
                     which Inngest reaches this app"
            .to_owned()),
    }
}

fn scheme<'a>(parts: &'a Parts, host: &str, announced: Option<&'a Url>) -> &'a str {
    let forwarded = parts
        .headers
        .get("x-forwarded-proto")
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(',').next())
        .map(str::trim)
        .filter(|scheme| matches!(*scheme, "http" | "https"));
    let announced = announced
        .filter(|url| &url[url::Position::BeforeHost..url::Position::AfterPort] == host)
        .map(Url::scheme);
    forwarded.or(announced).unwrap_or("http")
}
