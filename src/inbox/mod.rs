//! From the inbox to Inngest.

mod backoff;
mod forwarder;
mod retention;
mod sink;

pub use forwarder::{Forwarder, Pace};
pub use retention::{KEEP_BODIES_FOR, purge_daily};
pub use sink::{EventSink, OutgoingEvent, SendError};
