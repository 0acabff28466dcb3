//! Events: what starts a function, and what a function or another program sends.

mod cron;
mod incoming;
mod raw;
mod scheduled;
mod send_error;
mod set;
mod trigger;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

pub(crate) use incoming::event_data;
pub use incoming::{EventMismatch, Incoming};
pub(crate) use raw::RawEvent;
pub use scheduled::Scheduled;
pub use send_error::SendError;
pub use set::EventSet;
pub use trigger::Trigger;

/// The data of one kind of event. The type carries the event's name, so that a trigger, a handler and a sender
/// cannot disagree about it.
pub trait EventData: DeserializeOwned + Send + 'static {
    /// The event's name, such as `crm/create-deal`.
    const NAME: &'static str;
}

/// An event that a function received.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Event<T> {
    /// Its id: a ULID for events sent through the API, otherwise any text. It may be absent.
    pub id: Option<String>,
    /// Its name.
    pub name: String,
    /// What it says.
    pub data: T,
    /// When it happened, in milliseconds since the Unix epoch.
    pub ts: Option<i64>,
}

/// An event to be sent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NewEvent {
    /// Its name. Names that begin with `inngest/` are the server's own and refused by it.
    pub name: String,
    /// What it says; must be a JSON object that can be read back. An integer beyond 2<sup>53</sup> would arrive altered.
    pub data: Value,
    /// Events with the same id start a function once within 24 hours (P-178).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// When it happened, in milliseconds since the Unix epoch; absent: now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ts: Option<i64>,
}

impl NewEvent {
    /// An event by name, for data that has no type of its own. `null` counts as an empty object.
    pub fn named(name: impl Into<String>, data: Value) -> Self {
        let data = if data.is_null() { Value::Object(Map::new()) } else { data };
        Self { name: name.into(), data, id: None, ts: None }
    }

    /// A typed event. Fails when the data cannot be written as JSON.
    pub fn new<T: EventData + Serialize>(data: &T) -> Result<Self, serde_json::Error> {
        Ok(Self::named(T::NAME, serde_json::to_value(data)?))
    }

    /// The same event with an idempotency id.
    #[must_use]
    pub fn with_id(self, id: impl Into<String>) -> Self {
        Self { id: Some(id.into()), ..self }
    }

    /// The same event with the time at which it happened, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn at(self, unix_milliseconds: i64) -> Self {
        Self { ts: Some(unix_milliseconds), ..self }
    }
}
