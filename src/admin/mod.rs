//! What operators see: the status page, readiness and metrics. It knows every feature, and no feature knows it.

mod access;
mod differing;
mod item;
mod next;
mod page;
mod readiness;
mod scrape;

pub(crate) use access::{Access, guarded};
pub(crate) use item::Item;
pub(crate) use page::{Links, Neighbours, Page, page_router};
pub(crate) use readiness::{Admin, admin_router};
