//! Events: what the event API accepts, and what functions are shown.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use ulid::Ulid;

use crate::typed;

/// Largest event (P-183).
const MAX_EVENT_BYTES: usize = 3 * 1024 * 1024;
/// Events of this name prefix are the server's own.
const RESERVED_PREFIX: &str = "inngest/";
const YEAR_1980_MS: i64 = 315_532_800_000;
const YEAR_2100_MS: i64 = 4_102_444_800_000;

/// An event that was accepted.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    /// The id that the event API answered.
    pub(crate) internal_id: Ulid,
    /// The sender's id, else the internal one: functions run once for it (P-178).
    pub(crate) id: String,
    pub(crate) name: String,
    /// An object, or null.
    pub(crate) data: Value,
    pub(crate) user: Option<Value>,
    pub(crate) ts: i64,
    pub(crate) v: Option<String>,
    pub(crate) received_at: i64,
}

impl Event {
    /// An event of the server itself.
    pub(crate) fn internal(name: &str, data: Value, id: Ulid, now_ms: i64) -> Self {
        Self {
            internal_id: id,
            id: id.to_string(),
            name: name.to_owned(),
            data,
            user: None,
            ts: now_ms,
            v: None,
            received_at: now_ms,
        }
    }

    /// The event as a call carries it: `user` is always there (P-104).
    pub(crate) fn for_call(&self) -> Value {
        let mut event = self.stored();
        if self.user.is_none() {
            event["user"] = json!({});
        }
        event
    }

    /// The event as it was sent, with the server's defaults.
    pub(crate) fn stored(&self) -> Value {
        let mut event = json!({"data": self.data, "id": self.id, "name": self.name, "ts": self.ts});
        if let Some(user) = &self.user {
            event["user"] = user.clone();
        }
        if let Some(v) = &self.v {
            event["v"] = json!(v);
        }
        event
    }
}

/// Why one element of a request to the event API was refused. The texts are what senders see.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InvalidEvent {
    #[error("event name is empty")]
    NameEmpty,
    #[error("event name is reserved for internal use: {0}")]
    NameReserved(String),
    #[error("timestamp is before Jan 1, 1980")]
    TooEarly,
    #[error("timestamp is after Jan 1, 2100")]
    TooLate,
    #[error("event: {0}")]
    Unreadable(String),
    #[error("Event is over the max size: Max {MAX_EVENT_BYTES} bytes / Size {0} bytes")]
    TooLarge(usize),
}

/// Go takes the names of fields in capitals too.
fn as_go_names(event: Value) -> Value {
    let Value::Object(fields) = event else { return event };
    let name = |name: String| match name.to_ascii_lowercase() {
        known if ["id", "name", "data", "user", "ts", "v"].contains(&&*known) => known,
        _ => name,
    };
    fields.into_iter().map(|(key, value)| (name(key), value)).collect()
}

/// The sender's part of an event, checked (P-173).
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Draft {
    id: Option<String>,
    name: Option<String>,
    data: Option<Map<String, Value>>,
    user: Option<Map<String, Value>>,
    ts: Option<i64>,
    v: Option<String>,
}

impl Draft {
    /// Reads an event that took so many bytes.
    pub(crate) fn parse(raw: &RawValue, bytes: usize) -> Result<Self, InvalidEvent> {
        if bytes > MAX_EVENT_BYTES {
            return Err(InvalidEvent::TooLarge(bytes));
        }
        let unreadable = |error: serde_json::Error| InvalidEvent::Unreadable(error.to_string());
        let draft = match serde_json::from_str(raw.get()).map_err(unreadable)? {
            // The real server reads these as an event without any field.
            Value::Null | Value::String(_) => Self::default(),
            value => typed::object(&as_go_names(value), "").map_err(InvalidEvent::Unreadable)?,
        };
        let name = draft.name.as_deref().unwrap_or_default();
        if name.is_empty() {
            return Err(InvalidEvent::NameEmpty);
        }
        if name.to_lowercase().starts_with(RESERVED_PREFIX) {
            return Err(InvalidEvent::NameReserved(name.to_owned()));
        }
        match draft.ts {
            // Zero is no timestamp.
            Some(ts) if ts < YEAR_1980_MS && ts != 0 => Err(InvalidEvent::TooEarly),
            Some(ts) if ts > YEAR_2100_MS => Err(InvalidEvent::TooLate),
            _ => Ok(draft),
        }
    }

    pub(crate) fn accept(self, internal_id: Ulid, now_ms: i64) -> Event {
        let filled = |text: Option<String>| text.filter(|text| !text.is_empty());
        Event {
            internal_id,
            id: filled(self.id).unwrap_or_else(|| internal_id.to_string()),
            name: self.name.unwrap_or_default(),
            data: self.data.map(Value::Object).unwrap_or_default(),
            user: self.user.map(Value::Object),
            ts: self.ts.filter(|ts| *ts != 0).unwrap_or(now_ms),
            v: filled(self.v),
            received_at: now_ms,
        }
    }
}
