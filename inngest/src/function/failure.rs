//! What a failure handler gets: the failed run.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::middleware::Hooks;
use crate::raw_event::RawEvent;
use crate::step_error::found_by_server;
use crate::{Event, EventSet, Result, ResultExt as _};

/// A run that has failed, without another retry (P-186).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Failure<E> {
    /// The function, as `<app>-<function>`.
    pub function_id: String,
    /// The failed run. [`Run::id`](crate::Run::id) is that of the handler's own.
    pub run_id: String,
    /// Why it failed.
    pub error: FailureCause,
    /// The event that started it; of a batch the first. Where it could not be read, which may be why the run failed,
    /// the handler runs all the same.
    pub event: Result<Event<E>, String>,
    /// All its events.
    pub events: Vec<Result<Event<E>, String>>,
}

/// The error that ended a run.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FailureCause {
    /// Its kind, mostly `Error`: [`Error::named`](crate::Error::named).
    pub name: String,
    /// What happened.
    pub message: String,
    /// Where, if the app said so.
    pub stack: Option<String>,
    /// Whatever else the error carried: [`Error::with_data`](crate::Error::with_data). Where
    /// [middleware](crate::middleware) cannot read it, it is absent.
    pub data: Option<Value>,
    /// What caused it, where another SDK said so.
    pub cause: Option<Value>,
}

#[derive(Deserialize)]
struct WireFailure<'a> {
    function_id: String,
    run_id: String,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
    #[serde(borrow, default)]
    result: Option<&'a RawValue>,
    #[serde(borrow)]
    event: &'a RawValue,
    #[serde(borrow, default)]
    events: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize)]
struct WireCause {
    #[serde(default)]
    name: Option<String>,
    message: String,
    #[serde(default)]
    stack: Option<String>,
    #[serde(default)]
    cause: Option<Value>,
}

/// What the app has answered. The server copies from it what it knows, which data is not (I7).
#[derive(Deserialize)]
struct WireResult {
    #[serde(default)]
    data: Option<Value>,
}

impl FailureCause {
    /// An error of this kind. Handlers receive these; tests make them.
    pub fn new(name: impl Into<String>, message: impl Into<String>) -> Self {
        let (name, message) = (name.into(), message.into());
        Self { name, message, stack: None, data: None, cause: None }
    }

    /// The same error with data.
    #[must_use]
    pub fn with_data(self, data: impl Into<Value>) -> Self {
        Self { data: Some(data.into()), ..self }
    }

    /// The app may have answered anything, and the server hands it on (P-118).
    fn read(error: Option<&RawValue>, result: Option<&RawValue>, hooks: Hooks<'_>) -> Self {
        let text = error.map_or("no reason given", RawValue::get);
        let WireCause { name, message, stack, cause } =
            serde_json::from_str(text).unwrap_or_else(|_| WireCause {
                name: None,
                message: text.to_owned(),
                stack: None,
                cause: None,
            });
        let (name, message, stack) = match found_by_server(&message) {
            Some(found) => (Some(found.name), found.message, found.stack),
            None => (name, message, stack),
        };
        let name = name.unwrap_or_else(|| "Error".to_owned());
        let result: Option<WireResult> =
            result.and_then(|result| serde_json::from_str(result.get()).ok());
        let data = hooks.incoming_error_data(None, result.and_then(|result| result.data));
        let data = data.unwrap_or_else(|error| {
            tracing::warn!(%error, "the failure handler does without the data of the error");
            None
        });
        Self { name, message, stack, data, cause }
    }
}

/// An error that is only a text.
impl From<&str> for FailureCause {
    fn from(message: &str) -> Self {
        Self::new("Error", message)
    }
}

impl<E: EventSet> Failure<E> {
    /// Reads the data of the event that reports a failed run.
    pub(super) fn read(data: Option<&RawValue>, hooks: Hooks<'_>) -> Result<Self> {
        let text = data.map_or("null", RawValue::get);
        let wire: WireFailure<'_> = serde_json::from_str(text)
            .map_err(|error| format!("the failure event cannot be read: {error}"))
            .no_retry()?;
        let event = |raw: &RawValue| {
            let event = RawEvent::read(raw, hooks).map_err(|error| error.to_string())?;
            event.typed().map_err(|mismatch| mismatch.to_string())
        };
        let events = wire.events.unwrap_or_else(|| vec![wire.event]);
        Ok(Self {
            function_id: wire.function_id,
            run_id: wire.run_id,
            error: FailureCause::read(wire.error, wire.result, hooks),
            event: event(wire.event),
            events: events.into_iter().map(event).collect(),
        })
    }
}
