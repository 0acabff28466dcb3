//! An Inngest SDK core for Rust: durable functions, served over HTTP, with steps that are plain futures.
//!
//! - A [`Function`] has an id, an event that starts it and code made of steps. [`Config`] says how it shall be run, and
//!   [`Trigger`] what else starts it.
//! - [`Step`] has the steps: code that runs once, pauses, waits for events and signals, invocations, requests that the
//!   server makes.
//! - An [`Endpoint`] serves the functions of an app. It answers `http` requests and knows no server; with the feature
//!   `axum` it makes a router. Everything that is wrong with an app is told when it is built.
//! - A [`Client`] sends events. [`Settings`] tell it where Inngest is, and whose word is taken.
//! - [`middleware`] looks at calls and events as they pass; [`OnFailure`] is told of runs that have failed.
//!
//! [`guide`] has what does not fit at one item: [determinism](guide::determinism), [errors](guide::errors), testing (with
//! the feature `testing`) and [deployment](guide::deployment).
//!
//! ```no_run
//! use inngest::{Client, Context, Endpoint, EventData, Function, Result, Settings, Transport};
//!
//! #[derive(serde::Deserialize)]
//! struct Hello { name: String }
//! impl EventData for Hello { const NAME: &'static str = "demo/hello"; }
//!
//! struct Greet;
//!
//! impl Function for Greet {
//!     const ID: &'static str = "greet";
//!     type Event = Hello;
//!     type Output = String;
//!
//!     async fn run(&self, cx: Context<'_, Hello>) -> Result<String> {
//!         let name = &cx.event.data.name;
//!         Ok(cx.step.run("greet", async || Ok(format!("Hello, {name}!"))).await?)
//!     }
//! }
//!
//! # fn app(transport: impl Transport) -> Result<Endpoint> {
//! let endpoint = Endpoint::builder("hello", Client::new(Settings::dev(), transport))
//!     .function(Greet)
//!     .build()?;
//! # Ok(endpoint) }
//! ```
//!
//! Numbers such as P-120 and T44 in this documentation are those of the list of protocol rules and tests that the
//! package is held to; its README says which test holds which rule.

#[cfg(feature = "axum")]
mod axum;
mod checkpointing;
mod client;
mod clock;
mod config;
mod context;
mod cron;
mod duration;
mod endpoint;
mod engine;
mod error;
mod event;
mod failure;
mod function;
pub mod guide;
mod headers;
mod json;
pub mod middleware;
mod ops;
mod replay;
mod settings;
pub mod signing;
mod step;
mod step_error;
#[cfg(feature = "testing")]
pub mod testing;
mod transport;
mod trigger;

pub use checkpointing::Checkpointing;
pub use client::{Client, SendError, SignalError};
pub use clock::Clock;
pub use config::{
    Batch, CancelOn, Concurrency, Config, Debounce, RateLimit, Singleton, Throttle, Timeouts,
};
pub use context::{Context, Run};
pub use endpoint::{BuildError, Endpoint, EndpointBuilder, MAX_BODY_BYTES, Refused};
pub use error::{Error, Result, ResultExt, Retry};
pub use event::{Event, EventData, EventMismatch, EventSet, Incoming, NewEvent, Scheduled};
pub use failure::{Failure, FailureCause, OnFailure};
pub use function::Function;
pub use replay::is_replaying;
pub use settings::{Mode, Settings, SettingsError};
pub use step::{
    AiRequest, Fetch, FetchResponse, Infer, Invoke, Sleep, Step, WaitForEvent, WaitForSignal,
};
pub use step_error::StepError;
#[cfg(feature = "reqwest")]
pub use transport::ReqwestTransport;
pub use transport::{Transport, TransportError, TransportFuture};
pub use trigger::Trigger;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
