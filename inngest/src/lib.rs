//! An Inngest SDK core for Rust.
mod error;
pub mod signing;
mod step_error;

pub use error::{Error, Result, ResultExt, Retry};
pub use step_error::StepError;
