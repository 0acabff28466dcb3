//! Where Inngest finds this endpoint.

use http::header::HOST;
use http::request::Parts;
use url::Url;

use crate::Settings;

/// Parameters that belong to one request, not to the endpoint (P-023).
const TRANSIENT: [&str; 4] = ["deployId", "fnId", "stepId", "probe"];

/// The URL to register: from the settings where they say, else as the request was addressed.
///
/// Behind a proxy the scheme is what `X-Forwarded-Proto` says; without one it is that of `announced`, the URL
/// that the server says it used, where that names the same host.
pub(super) fn serve_url(
    settings: &Settings,
    parts: &Parts,
    announced: Option<&Url>,
) -> Result<Url, String> {
    let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = host.or_else(|| parts.uri.authority().map(http::uri::Authority::as_str));
    let origin = match (&settings.serve_origin, host) {
        (Some(origin), _) => origin.clone(),
        (None, Some(host)) => format!("{}://{host}", scheme(parts, host, announced)),
        (None, None) => {
            return Err("the request has no Host header; set INNGEST_SERVE_ORIGIN to the URL at \
                        which Inngest reaches this app"
                .to_owned());
        }
    };
    let path = settings.serve_path.as_deref().unwrap_or_else(|| parts.uri.path());
    let mut url = Url::parse(&origin)
        .and_then(|origin| origin.join(path))
        .map_err(|_| format!("`{origin}{path}` is no URL; set INNGEST_SERVE_ORIGIN"))?;
    let query = parts.uri.query().unwrap_or_default();
    let kept: Vec<_> = url::form_urlencoded::parse(query.as_bytes())
        .filter(|(name, _)| !TRANSIENT.contains(&&**name))
        .collect();
    if !kept.is_empty() {
        url.query_pairs_mut().extend_pairs(kept);
    }
    Ok(url)
}

fn scheme<'a>(parts: &'a Parts, host: &str, announced: Option<&'a Url>) -> &'a str {
    let forwarded = parts
        .headers
        .get("x-forwarded-proto")
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(',').next())
        .map(str::trim)
        .filter(|scheme| matches!(*scheme, "http" | "https"));
    let announced = announced.filter(|url| {
        let authority = &url[url::Position::BeforeHost..url::Position::AfterPort];
        authority == host && matches!(url.scheme(), "http" | "https")
    });
    forwarded.or_else(|| announced.map(Url::scheme)).unwrap_or("http")
}
