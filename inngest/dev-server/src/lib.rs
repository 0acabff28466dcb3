//! An Inngest server in memory, for development and tests.
//!
//! It speaks the official HTTP API: events in, `PUT` syncs and calls out, registration and look-ups. It refuses what the
//! real server refuses. Where the real server would hang, loop or crash on a reply, it fails the run and names the rule of
//! the protocol that was broken. P-numbers in comments are those of the protocol rules.
//!
//! # What it does
//!
//! - Functions started by events, with expressions (P-077), by cron schedules in a time zone (P-113), and by other
//!   functions (P-134); failure handlers (P-184) and the events that report ends and cancellations (P-186, P-187).
//! - Every step of the protocol: run, planned and parallel steps, races (P-164), sleeps (P-131), waits for events and
//!   signals (P-132, P-133), invocations, requests and inference by the server (P-135, P-136), retries (P-142); streamed
//!   replies (P-117, P-191).
//! - Steps saved while a call goes on: `POST /v1/checkpoint/{run}/async` (P-194), and what ends such a call (P-137).
//! - Flow control: batches (P-081), rate limits, idempotency, throttles, debounce (P-082, P-083), concurrency (P-080),
//!   singletons (P-086), cancellation by events (P-084) and timeouts (P-085).
//!
//! Priority and the jitter of schedules are accepted and have no effect; [`Observation::AppSynced`] lists them. Deferred
//! functions (P-140) are ignored; [`Observation::OpIgnored`] reports each.
//!
//! # Where it differs from server 1.43
//!
//! It is stricter where that one lets a mistake pass: a malformed `X-Inngest-SDK` header, a compressed reply, a
//! step reported again although its result was sent, another step than the one asked for, several executed steps in an
//! ordinary reply (P-005), bad durations in configurations (P-084, P-085), schedules that never come, and checkpoints of a
//! call that was abandoned (409; the real server checks this only where it is switched on).
//!
//! It is simpler elsewhere: expressions are a part of CEL, and the rest is refused by name; a request for a step that fails
//! is repeated without calling the function; an invocation does not wait for a batch or for the end of a series; retries
//! and schedules have no jitter; the output of a checkpointed run can be looked up (the real server answers `""`).
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use inngest_dev_server::DevServer;
//! use tokio_util::sync::CancellationToken;
//!
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! let server = DevServer::builder()
//!     .app("http://127.0.0.1:3000/api/inngest".parse()?)
//!     .serve(listener, CancellationToken::new())?;
//! let mut observations = server.subscribe();
//! server.sync_now().await?;
//! while let Ok(observation) = observations.recv().await {
//!     // A step finished, a run failed ...
//! #   drop(observation);
//! }
//! server.shutdown().await;
//! # Ok(())
//! # }
//! ```

mod api;
mod clock;
mod core;
mod duration;
mod event;
mod executor;
mod expression;
mod http_client;
mod ids;
mod observe;
mod ops;
mod queue;
mod registry;
mod run;
mod server;
mod state;
mod strict_json;
mod sync;
mod typed;

pub use clock::{Clock, ManualClock, Sleep, SystemClock};
pub use observe::Observation;
pub use server::{Builder, DevServer, ServeError};
pub use sync::SyncError;
