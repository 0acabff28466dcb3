//! Who may see the admin listener, and whose clicks count.
//!
//! With `ADMIN_TOKEN` each request must carry it: as the password that a browser asks for, or as a bearer token. Without,
//! every client that reaches the listener may see it, so it listens on this machine alone by default. A web page elsewhere
//! must not get in by way of the operator's browser: it can have a name of its own point here, so no name with a dot is
//! accepted, and a click counts only with a token of this process that the page has shown.

use std::net::IpAddr;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, HOST, ORIGIN, WWW_AUTHENTICATE};
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use subtle::ConstantTimeEq as _;

/// What orchestrators ask. It shows no deal.
const OPEN: &str = "/readyz";

/// Who is let in.
#[derive(Debug, Clone)]
pub(crate) struct Access {
    token: Option<SecretString>,
    click: SecretString,
}

/// `router` for those who are let in.
pub(crate) fn guarded(router: Router, access: Access) -> Router {
    router.layer(from_fn_with_state(access, guard))
}

async fn guard(State(access): State<Access>, request: Request, next: Next) -> Response {
    if request.uri().path() == OPEN {
        return next.run(request).await;
    }
    match access.refuses(request.headers()) {
        None => next.run(request).await,
        Some(response) => response,
    }
}

impl Access {
    /// Those who know `token`; all where there is none.
    pub(crate) fn new(token: Option<SecretString>) -> Result<Self, getrandom::Error> {
        let mut random = [0; 16];
        getrandom::fill(&mut random)?;
        Ok(Self { token, click: hex::encode(random).into() })
    }

    /// What a form must carry, for a click to count.
    pub(super) fn click(&self) -> &str {
        self.click.expose_secret()
    }

    /// Whether a form was sent by a page that this process has shown.
    pub(super) fn is_own_click(&self, headers: &HeaderMap, click: &str) -> bool {
        let origin = headers.get(ORIGIN).and_then(|origin| origin.to_str().ok());
        let origin = origin.and_then(|origin| origin.split_once("://")).map(|(_, host)| host);
        let host = headers.get(HOST).and_then(|host| host.to_str().ok());
        origin.is_some() && origin == host && same(click, self.click())
    }

    fn refuses(&self, headers: &HeaderMap) -> Option<Response> {
        let Some(token) = &self.token else {
            let text = "This address is not accepted: open the page by an IP address or as localhost, or set ADMIN_TOKEN.\n";
            return (!is_no_name(headers))
                .then(|| (StatusCode::FORBIDDEN, text.to_owned()).into_response());
        };
        let given = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let given = given.and_then(credential).unwrap_or_default();
        (!same(&given, token.expose_secret())).then(|| {
            let text = "ADMIN_TOKEN is asked for: as the password, with any user name, or as a bearer token.\n";
            let mut response = (StatusCode::UNAUTHORIZED, text).into_response();
            let challenge = HeaderValue::from_static("Basic realm=\"prometei-flow\", charset=\"UTF-8\"");
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
            response
        })
    }
}

/// The token of an `Authorization` header: a bearer token, or the password of a browser.
fn credential(header: &str) -> Option<String> {
    let (scheme, value) = header.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(value.trim().to_owned());
    }
    let decoded =
        STANDARD.decode(value.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    let decoded = String::from_utf8(decoded).ok()?;
    decoded.split_once(':').map(|(_, password)| password.to_owned())
}

/// Whether the request names the listener by an address, as `localhost`, or by a name without a dot, as containers do:
/// none of these can belong to a page elsewhere.
fn is_no_name(headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let Some(host) = host.and_then(|host| host.parse::<Authority>().ok()) else { return false };
    let host = host.host().trim_start_matches('[').trim_end_matches(']');
    host.parse::<IpAddr>().is_ok() || !host.contains('.')
}

fn same(given: &str, expected: &str) -> bool {
    given.as_bytes().ct_eq(expected.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::routing::get;
    use http::{HeaderMap, Request};
    use tower::ServiceExt as _;

    use super::{Access, guarded};

    async fn status(access: &Access, path: &str, headers: &[(&str, &str)]) -> u16 {
        let router = Router::new().route("/", get(|| async {})).route("/readyz", get(|| async {}));
        let mut request = Request::get(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).unwrap();
        let response = guarded(router, access.clone()).oneshot(request).await.unwrap();
        response.status().as_u16()
    }

    #[tokio::test]
    async fn with_a_token_each_request_must_carry_it_but_for_readiness() {
        let access = Access::new(Some("sesame-of-the-test".to_owned().into())).unwrap();
        let host = ("host", "flow.example.org");
        for (given, expected) in [
            ("Bearer sesame-of-the-test", 200),
            ("bearer sesame-of-the-test ", 200),
            ("Basic YW55OnNlc2FtZS1vZi10aGUtdGVzdA==", 200),
            ("Bearer sesame", 401),
            ("Bearer ", 401),
            ("Basic YW55OnNlc2FtZQ==", 401),
            ("Basic !", 401),
            ("sesame-of-the-test", 401),
        ] {
            let answered = status(&access, "/", &[host, ("authorization", given)]).await;
            assert_eq!(answered, expected, "{given}");
        }
        assert_eq!(status(&access, "/", &[host]).await, 401);
        assert_eq!(status(&access, "/readyz", &[host]).await, 200);
        assert!(!format!("{access:?}").contains("sesame"));
    }

    #[tokio::test]
    async fn without_a_token_no_name_that_a_page_elsewhere_could_have_is_accepted() {
        let access = Access::new(None).unwrap();
        for (host, expected) in [
            ("127.0.0.1:3001", 200),
            ("[::1]:3001", 200),
            ("localhost:3001", 200),
            ("10.0.0.5", 200),
            ("flow:3001", 200),
            ("evil.example.org:3001", 403),
            ("127.0.0.1.example.org", 403),
        ] {
            assert_eq!(status(&access, "/", &[("host", host)]).await, expected, "{host}");
        }
        assert_eq!(status(&access, "/", &[]).await, 403);
    }

    #[test]
    fn a_click_counts_only_from_a_page_of_this_process() {
        let (access, other) = (Access::new(None).unwrap(), Access::new(None).unwrap());
        let from = |origin: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert("host", "127.0.0.1:3001".parse().unwrap());
            origin.map(|origin| headers.insert("origin", origin.parse().unwrap()));
            headers
        };
        let own = from(Some("http://127.0.0.1:3001"));
        assert!(access.is_own_click(&own, access.click()));
        assert!(!access.is_own_click(&own, other.click()));
        assert!(!access.is_own_click(&own, ""));
        for origin in [None, Some("null"), Some("http://evil.example.org")] {
            assert!(!access.is_own_click(&from(origin), access.click()), "{origin:?}");
        }
    }
}
