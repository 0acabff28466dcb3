//! The server against a scripted SDK, over real sockets.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on stops")]

mod calls;
mod cancellation;
mod checkpoints;
mod cron;
mod events;
mod fake_sdk;
mod flow_control;
mod invocations;
mod parallel;
mod recorded;
mod registration;
mod requests;
mod retries;
mod runs;
mod sdk;
mod sync;
mod violations;
mod waits;
mod world;
