//! What operators see: the status page, readiness and metrics. It knows every feature, and no feature knows it.

mod access;
mod differing;
mod item;
mod next;
mod page;
mod readiness;
mod scrape;

use axum::Router;
use axum::routing::get;

pub(crate) use access::{Access, guarded};
pub(crate) use item::Item;
pub(crate) use page::{Links, Neighbours, Page, page_router};
pub(crate) use readiness::Admin;

/// Readiness and metrics.
pub(crate) fn admin_router(admin: Admin) -> Router {
    Router::new()
        .route("/readyz", get(readiness::ready))
        .route("/metrics", get(scrape::metrics))
        .with_state(admin)
}
