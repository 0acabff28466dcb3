use serde::Deserialize;
use serde_json::Number;
use serde_json::value::RawValue;

use super::{Event, EventMismatch, EventSet, Incoming};
use crate::json;

/// An event of a call, its data unparsed.
#[derive(Deserialize)]
pub(crate) struct RawEvent<'a> {
    #[serde(default)]
    pub(crate) id: Option<String>,
    pub(crate) name: String,
    #[serde(borrow, default)]
    pub(crate) data: Option<&'a RawValue>,
    #[serde(default)]
    ts: Option<Number>,
}

/// How deep an event may nest; as deep as `serde_json` follows typed data. Text that nothing here looks at would
/// otherwise pass at any depth, and fail where it is read next.
const MAX_DEPTH: usize = 128;

impl<'a> RawEvent<'a> {
    pub(crate) fn read(json: &'a RawValue) -> Result<Self, String> {
        if json::depth(json.get()) > MAX_DEPTH {
            return Err(format!("the event nests deeper than {MAX_DEPTH} levels"));
        }
        serde_json::from_str(json.get())
            .map_err(|error| format!("the event cannot be read: {error}"))
    }

    /// The event with its data read as one of `E`.
    pub(crate) fn typed<E: EventSet>(self) -> Result<Event<E>, EventMismatch> {
        let data = E::decode(&Incoming::new(&self.name, self.data))?;
        Ok(self.with(data))
    }

    /// The same event with this data.
    pub(crate) fn with<T>(self, data: T) -> Event<T> {
        Event { id: self.id, name: self.name, data, ts: self.ts.and_then(|ts| ts.as_i64()) }
    }
}
