//! An Inngest SDK core for Rust.
pub mod signing;
