//! What no webhook told of: amoCRM's feed of events is read, and leads that it names and that are not known here go
//! the way of all others.

mod feed;
mod log;
mod table;

pub use feed::{EventPage, FeedEvent, FeedQuery, LEAD_EVENTS};
pub use log::*;
pub use table::ReconcileCursor;
