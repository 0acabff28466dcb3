//! What all pages have in common.

use axum::body::Body;
use axum::response::Response;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, StatusCode};
use maud::{DOCTYPE, Markup, html};

use super::words::Language;

/// A page with its title.
pub(super) struct Shown {
    pub(super) status: StatusCode,
    pub(super) title: String,
    pub(super) body: Markup,
}

impl Shown {
    /// A page that says one thing.
    pub(super) fn message(status: StatusCode, language: Language, title: &str, text: &str) -> Self {
        let body = html! {
            h1 { (title) }
            p { (text) }
            p { a href="/" { (language.say(["Back to the overview", "К обзору"])) } }
        };
        Self { status, title: title.to_owned(), body }
    }
}

/// The answer with a page; where it could not be made, one that says why.
pub(super) fn response(language: Language, shown: anyhow::Result<Shown>) -> Response {
    let shown = shown.unwrap_or_else(|error| {
        tracing::error!(error = format!("{error:#}"), "the status page could not be made");
        let title = language.say(["The database does not answer", "База данных не отвечает"]);
        Shown::message(StatusCode::SERVICE_UNAVAILABLE, language, title, &format!("{error:#}"))
    });
    let html = html! {
        (DOCTYPE)
        html lang=(language.tag()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (shown.title) " · prometei-flow" }
                link rel="stylesheet" href="/style.css";
            }
            body {
                header {
                    a href="/" { "prometei-flow" }
                    form action="/" method="get" role="search" {
                        label for="q" { (language.say(["Find a deal", "Найти сделку"])) }
                        input id="q" name="q" type="search" autocomplete="off"
                            placeholder=(language.say(["lead, record or run", "сделка, запись или запуск"]));
                        button { (language.say(["Find", "Найти"])) }
                    }
                }
                main {
                    (shown.body)
                }
            }
        }
    };
    let mut response = Response::new(Body::from(html.into_string()));
    *response.status_mut() = shown.status;
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CACHE_CONTROL, "no-store"),
        (REFERRER_POLICY, "same-origin"),
        (
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        ),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    let headers = headers.into_iter().map(|(name, value)| (name, HeaderValue::from_static(value)));
    response.headers_mut().extend(headers);
    response
}
