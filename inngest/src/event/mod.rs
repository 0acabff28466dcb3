//! Events: what starts a function, and what a function or another program sends.

mod cron;
mod incoming;
mod scheduled;
mod send_error;
mod set;
mod trigger;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};

pub use incoming::{EventMismatch, Incoming};
pub(crate) use incoming::{event_data, without_servers_part};
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
    /// What the sender said of the person behind it; empty where nothing was said.
    pub user: Map<String, Value>,
    /// The version of its form, such as `2026-11-26`, where the sender named one.
    pub v: Option<String>,
}

/// An event to be sent.
#[derive(Debug, Clone, Serialize)]
pub struct NewEvent {
    /// Its name. Names that begin with `inngest/` are the server's own and refused by it.
    pub name: String,
    /// What it says: a JSON object, as text, so that one that was stored is sent as it stands. It must be one that can be
    /// read back; an integer beyond 2<sup>53</sup> would arrive altered.
    pub data: Box<RawValue>,
    /// Events with the same id start a function once within 24 hours (P-178).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// When it happened, in milliseconds since the Unix epoch; absent: now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ts: Option<i64>,
    /// What there is to say of the person behind it, beside the data. Middleware does not see it.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub user: Map<String, Value>,
    /// The version of its form, such as `2026-11-26`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub v: Option<String>,
}

impl NewEvent {
    /// An event by name, for data that has no type of its own. `null` counts as an empty object.
    #[expect(clippy::needless_pass_by_value, reason = "what callers write is `json!({..})`")]
    pub fn named(name: impl Into<String>, data: Value) -> Self {
        // A value can always be written.
        let data = to_raw_value(&data).unwrap_or_default();
        Self::raw(name.into(), data)
    }

    /// A typed event. Fails when the data cannot be written as JSON.
    pub fn new<T: EventData + Serialize>(data: &T) -> Result<Self, serde_json::Error> {
        Ok(Self::raw(T::NAME.to_owned(), to_raw_value(data)?))
    }

    /// An event whose data is JSON text already.
    pub fn raw(name: impl Into<String>, data: Box<RawValue>) -> Self {
        let data = object_for_null(data);
        Self { name: name.into(), data, id: None, ts: None, user: Map::new(), v: None }
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

    /// The same event with what there is to say of the person behind it.
    #[must_use]
    pub fn with_user(self, user: Map<String, Value>) -> Self {
        Self { user, ..self }
    }

    /// The same event with the version of its form.
    #[must_use]
    pub fn with_version(self, version: impl Into<String>) -> Self {
        Self { v: Some(version.into()), ..self }
    }
}

/// A unit struct is written as `null`, and the server takes an object only.
fn object_for_null(data: Box<RawValue>) -> Box<RawValue> {
    if data.get() == "null" { RawValue::from_string("{}".to_owned()).unwrap_or(data) } else { data }
}
