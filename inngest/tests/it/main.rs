//! The endpoint as the server sees it: requests in, answers out. Names like T01 are those of `docs/protocol.md`.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on stops"
)]

mod asks;
mod batches;
#[cfg(feature = "axum")]
mod bodies;
mod calls;
mod checkpoints;
mod config;
mod conformance;
mod deadlines;
mod documents;
mod encryption;
mod events;
mod failing_steps;
mod failure;
mod fuzz_findings;
mod memo;
mod middleware;
mod outputs;
#[cfg(feature = "axum")]
mod over_axum;
mod payloads;
mod plain;
mod programs;
mod races;
mod repeated;
mod replay;
mod reruns;
mod self_registration;
#[cfg(feature = "axum")]
mod served;
mod signatures;
mod simulator;
mod sizes;
mod spans;
mod steps;
#[cfg(feature = "axum")]
mod streaming;
mod support;
mod sync;
mod testing;
#[cfg(feature = "otel")]
mod traces;
mod triggers;
mod untrusted;
mod waits;
mod withheld;
