//! An Inngest SDK core for Rust: durable functions, served over HTTP, with steps that are plain futures.
//!
//! - A [`Function`] is started by an event and made of steps; one that needs nothing else is a plain `async fn`.
//!   [`Config`] has its id, what else starts it, and how it is run.
//! - [`Step`] has the steps: code that runs once, pauses, waits for events and signals, invocations, requests that the
//!   server makes.
//! - An [`App`] holds the functions and serves them. What it builds is an [`Endpoint`], which answers `http` requests and
//!   knows no server; with the feature `axum` it makes a router. Every mistake in an app is reported then.
//! - A [`Client`] sends events. [`Settings`] say where Inngest is, and which calls are trusted.
//! - [`middleware`] looks at calls, steps and all that leaves or comes in; [`OnFailure`] handles runs that have failed.
//!
//! [`guide`] has what does not fit at one item: [determinism](guide::determinism), [errors](guide::errors),
//! [observability](guide::observability), [streaming](guide::streaming), encryption and testing (with the features of these names) and
//! [deployment](guide::deployment).
//!
//! ```no_run
//! use inngest::{App, AppError, Config, Event, EventData, Result, Step};
//!
//! #[derive(serde::Deserialize)]
//! struct Hello { name: String }
//! impl EventData for Hello { const NAME: &'static str = "demo/hello"; }
//!
//! async fn greet(event: Event<Hello>, step: Step<'_>) -> Result<String> {
//!     let name = event.data.name;
//!     Ok(step.run("greet", async || Ok(format!("Hello, {name}!"))).await?)
//! }
//!
//! # #[cfg(all(feature = "axum", feature = "reqwest"))]
//! # async fn serve() -> Result<(), AppError> {
//! App::from_env("hello")?.function(Config::id("greet").run(greet)).serve("127.0.0.1:3000").await
//! # }
//! ```
//!
//! Numbers such as P-120 and T44 in this documentation are those of the protocol rules and hostile inputs in
//! `docs/protocol.md`, which says what holds each.

mod app;
#[cfg(feature = "axum")]
mod axum;
#[cfg(feature = "axum")]
mod body;
mod check;
mod checkpointing;
mod client;
mod clock;
mod config;
mod duration;
mod endpoint;
mod engine;
mod error;
mod event;
mod expression;
mod function;
pub mod guide;
mod headers;
mod json;
mod limits;
mod lower_hex;
pub mod middleware;
mod raw_event;
mod replay;
mod run;
mod settings;
pub mod signing;
mod spans;
mod step;
mod step_error;
#[cfg(feature = "testing")]
pub mod testing;
mod transport;
mod wire_error;

pub use app::{App, AppError, BuildError};
pub use checkpointing::Checkpointing;
pub use client::{Client, RegistrationError, SignalError};
pub use clock::Clock;
pub use config::{
    Batch, CancelOn, Concurrency, Config, Debounce, RateLimit, Singleton, Throttle, Timeouts,
};
pub use endpoint::{Endpoint, Refused};
pub use error::{Error, Result, ResultExt, Retry};
pub use event::{
    Event, EventData, EventMismatch, EventSet, Incoming, NewEvent, Scheduled, SendError, Trigger,
};
pub use expression::Expression;
pub use function::{
    AsyncFunction, Configured, Context, Failure, FailureCause, FailureContext, FailureHandler,
    Function, Handler, OnFailure, Serve,
};
pub use limits::MAX_BODY_BYTES;
pub use replay::is_replaying;
pub use run::Run;
pub use settings::{Mode, Settings, SettingsError, VariableMistake};
pub use step::{
    AiRequest, Fetch, FetchResponse, Infer, Invoke, Sleep, Step, WaitForEvent, WaitForSignal,
};
pub use step_error::StepError;
#[cfg(feature = "reqwest")]
pub use transport::ReqwestTransport;
pub use transport::{Transport, TransportError, TransportFuture};

#[cfg(all(doctest, feature = "axum", feature = "reqwest"))]
#[doc = include_str!("../README.md")]
struct Readme;
