//! The ERP: Rukovoditel's `api/rest.php`.
//!
//! The ERP's HTTP status says little and its requests are not idempotent, so everything here turns on one
//! question: was the record created, was it certainly not, or is that unknown?

mod call;
mod client;
mod error;
mod fields;
mod lookup;
mod probes;
mod response;
mod send_by;
mod settings;
#[cfg(test)]
pub(crate) mod tests;
mod text;
mod values;

pub(crate) use client::ErpClient;
pub(crate) use error::{ErpError, SET_ERP, missing};
pub(crate) use fields::{EntityFields, Field};
pub(crate) use lookup::MarkerLookup;
pub(crate) use response::{Insertion, Update, reply_with_id};
pub(crate) use send_by::SendBy;
pub(crate) use settings::TIMEOUT;
pub(crate) use settings::{Body, ErpSettings};
pub(crate) use text::stored_text;
pub(crate) use values::Values;
