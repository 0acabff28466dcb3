//! An Inngest SDK core for Rust: durable functions, served over HTTP, with steps that are plain futures.

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
pub use endpoint::{BuildError, Endpoint, EndpointBuilder, MAX_BODY_BYTES};
pub use error::{Error, Result, ResultExt, Retry};
pub use event::{Event, EventData, EventMismatch, EventSet, Incoming, NewEvent, Scheduled};
pub use failure::{Failure, FailureCause, OnFailure};
pub use function::Function;
pub use replay::is_replaying;
pub use settings::{Mode, Settings, SettingsError, UnsignedSync};
pub use step::{
    AiRequest, Fetch, FetchResponse, Infer, Invoke, Sleep, Step, WaitForEvent, WaitForSignal,
};
pub use step_error::StepError;
#[cfg(feature = "reqwest")]
pub use transport::ReqwestTransport;
pub use transport::{Transport, TransportError, TransportFuture};
pub use trigger::Trigger;
