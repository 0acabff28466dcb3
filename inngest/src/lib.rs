//! An Inngest SDK core for Rust: durable functions, served over HTTP, with steps that are plain futures.

#[cfg(feature = "axum")]
mod axum;
mod checkpointing;
mod client;
mod clock;
mod config;
mod context;
mod duration;
mod endpoint;
mod engine;
mod error;
mod event;
mod function;
mod headers;
mod json;
mod ops;
mod settings;
pub mod signing;
mod step;
mod step_error;
mod transport;

pub use checkpointing::Checkpointing;
pub use client::{Client, SendError, SignalError};
pub use clock::Clock;
pub use config::Config;
pub use context::{Context, Run};
pub use endpoint::{BuildError, Endpoint, EndpointBuilder, MAX_BODY_BYTES};
pub use error::{Error, Result, ResultExt, Retry};
pub use event::{Event, EventData, NewEvent};
pub use function::Function;
pub use settings::{Mode, Settings, SettingsError};
pub use step::{
    AiRequest, Fetch, FetchResponse, Infer, Invoke, Sleep, Step, WaitForEvent, WaitForSignal,
};
pub use step_error::StepError;
#[cfg(feature = "reqwest")]
pub use transport::ReqwestTransport;
pub use transport::{Transport, TransportError, TransportFuture};
