//! A webhook becomes rows, and rows become events: amoCRM is answered once its leads are stored, and what is stored
//! goes to Inngest until Inngest has it.

mod answer;
mod backoff;
mod bodies;
mod form;
mod forwarder;
mod group;
mod inngest;
mod intake;
mod retention;
mod routes;
mod secret;
mod sink;
mod table;
mod webhook;

pub use answer::IntakeAnswer;
pub use forwarder::{Forwarder, Pace};
pub(crate) use group::Group;
pub use inngest::InngestEvents;
pub use intake::{BODY_LIMIT, Intake};
pub use retention::{KEEP_BODIES_FOR, purge_daily};
pub use routes::webhook_router;
pub use sink::{EventSink, OutgoingEvent, SendError};
pub use table::{CLAIM, HeldRow, InboxCounts, InboxRow, ParkedRow};
