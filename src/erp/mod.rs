//! The ERP side: one record per deal over Rukovoditel's `api/rest.php`.
//!
//! The ERP's HTTP status says little and its requests are not idempotent, so everything here turns on one
//! question: was the record created, was it certainly not, or is that unknown?
mod call;
mod client;
mod error;
mod fields;
mod lookup;
mod port;
mod reply;
mod settings;
mod text;

pub use client::{ErpClient, Inserted};
pub use error::{ErpError, Failure, label};
pub use lookup::MarkerLookup;
pub use port::{ErpPort, MissingErp};
pub use settings::{Body, ErpSettings, TIMEOUT};
