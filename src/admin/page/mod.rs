//! The status page: whether deals flow, which need a person, and where a deal is. Rendered here, works without scripts.

mod actions;
mod card;
mod chart;
mod headline;
mod layout;
mod neighbours;
mod overview;
mod story;
mod told;
mod view;
mod words;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::get;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use maud::{Markup, html};
use url::Url;

pub(crate) use self::neighbours::Neighbours;
use self::overview::Overview;
use self::words::Language;
use super::access::Access;
use super::item::Item;
use super::readiness::Admin;

/// Where a person goes on from the page, as far as it is known.
#[derive(Debug, Clone, Default)]
pub(crate) struct Links {
    /// The amoCRM account.
    pub(crate) amocrm: Option<Url>,
    /// Inngest's own pages: those of a server of one's own.
    pub(crate) inngest: Option<Url>,
    /// Where the consent begins.
    pub(crate) consent: Option<Url>,
}

/// What the page is made of.
pub(crate) struct Page {
    pub(crate) admin: Admin,
    pub(crate) neighbours: Neighbours,
    pub(crate) links: Links,
    pub(crate) access: Access,
    /// Whether names and amounts of deals are shown.
    pub(crate) shows_deals: bool,
    /// What is configured and probably not intended, one line each.
    pub(crate) warnings: Vec<String>,
}

impl Page {
    /// The reason of an item as it may be shown.
    fn reason<'i>(&self, item: &'i Item) -> Option<Cow<'i, str>> {
        let discreet = item.discreet.as_deref().filter(|_| !self.shows_deals);
        discreet.map(Cow::Borrowed).or_else(|| Some(self.shown(item.reason.as_deref()?)))
    }

    /// A run, as a link to Inngest's own page where its address is known.
    fn run(&self, run: &str) -> Markup {
        let url = self.links.inngest.as_ref().and_then(|inngest| {
            let mut url = inngest.join("/run").ok()?;
            url.query_pairs_mut().append_pair("runID", run);
            Some(url)
        });
        match url {
            Some(url) => html! { a href=(url) rel="noreferrer" { (run) } },
            None => html! { code { (run) } },
        }
    }

    /// A reason as it may be shown: the name of the deal in it only where names are shown.
    fn shown<'r>(&self, reason: &'r str) -> Cow<'r, str> {
        if self.shows_deals { Cow::Borrowed(reason) } else { without_name(reason) }
    }
}

/// A text of the ledger without the name that stands in it, as in `deal "name" (amoCRM lead 7)`.
fn without_name(reason: &str) -> Cow<'_, str> {
    let before = "deal \"";
    let Some(start) = reason.find(before).map(|at| at + before.len()) else {
        return Cow::Borrowed(reason);
    };
    // The last one: a name may look like the end of another.
    let ends = ["\" (amoCRM lead ", "\" (run "].map(|end| reason.rfind(end));
    let Some(end) = ends.into_iter().flatten().max().filter(|end| *end >= start) else {
        return Cow::Borrowed("…");
    };
    let name = &reason[start..end];
    let hidden = format!("{}…{}", &reason[..start], &reason[end..]);
    // The ERP may have quoted it.
    Cow::Owned(if name.len() > 2 { hidden.replace(name, "…") } else { hidden })
}

/// The routes of the page.
pub(crate) fn page_router(page: Page) -> Router {
    Router::new()
        .route("/", get(show))
        .route("/act", get(actions::confirm).post(actions::act))
        .route("/style.css", get(style))
        .with_state(Arc::new(page))
}

/// The whole, or with `q` what is known of one deal.
async fn show(
    State(page): State<Arc<Page>>,
    headers: HeaderMap,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let language = Language::of(&headers);
    let asked = query.get("q").map(|asked| asked.trim()).filter(|asked| !asked.is_empty());
    let shown = match asked {
        Some(asked) => story::show(&page, language, asked).await,
        None => {
            let limit = if query.contains_key("all") { overview::MOST } else { overview::SHOWN };
            let all = Overview::of(&page, limit).await;
            all.map(|all| view::overview(&page, language, &all))
        }
    };
    layout::response(language, shown)
}

async fn style() -> ([(http::HeaderName, HeaderValue); 1], &'static str) {
    let css = HeaderValue::from_static("text/css; charset=utf-8");
    ([(CONTENT_TYPE, css)], include_str!("style.css"))
}

#[cfg(test)]
mod tests {
    use super::without_name;

    #[test]
    fn no_name_of_a_deal_is_left_in_a_reason() {
        for (reason, shown) in [
            (
                "the ERP refused deal \"Ivan\" (amoCRM lead 7): \"Ivan exists\"",
                "the ERP refused deal \"…\" (amoCRM lead 7): \"… exists\"",
            ),
            ("deal \"a\" (run b\" (run R1) is being sent", "deal \"…\" (run R1) is being sent"),
            ("deal \"Ivan cut off", "…"),
            ("amoCRM shows no lead 7", "amoCRM shows no lead 7"),
        ] {
            assert_eq!(without_name(reason), shown);
        }
    }
}
