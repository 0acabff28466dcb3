//! An Inngest server in memory, for development and tests.
//!
//! It speaks the official HTTP API: events in, `PUT` syncs and calls out, registration and look-ups. What the real
//! server refuses, it refuses; where the real server would hang, loop or crash on a reply, it fails the run and says
//! which rule of the protocol was broken. P-numbers in comments name the protocol facts that a line follows.
//!
//! It is stricter than server 1.43 where that one lets a mistake pass: a malformed `X-Inngest-SDK` header, a compressed or
//! streamed reply, a step reported again although its result was sent, another step than the one asked for.
//!
//! Supported so far: event triggers, run steps, planned and parallel steps, sleeps, retries, failure handlers. Another
//! op fails its run with an error that names it; a trigger of another kind is refused at registration. Flow control is
//! checked at registration but not enforced, see [`Observation::AppSynced`].
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
mod event;
mod executor;
mod expression;
mod http_client;
mod ids;
mod observe;
mod options;
mod registry;
mod run;
mod server;
mod state;
mod strict_json;
mod sync;

pub use clock::{Clock, ManualClock, Sleep, SystemClock};
pub use observe::Observation;
pub use options::Builder;
pub use server::{DevServer, ServeError};
pub use sync::SyncError;
