//! The endpoint as the server sees it: requests in, answers out. Names like T01 are those of the protocol facts.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on stops"
)]

mod asks;
mod calls;
mod events;
mod memo;
mod outputs;
mod signatures;
mod steps;
mod support;
mod sync;
