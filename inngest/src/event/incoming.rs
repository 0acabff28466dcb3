//! Events as they arrive.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::json::{Mismatch, decode};

/// The name of the event of a run that another function, or a person, has started directly.
const INVOKED: &str = "inngest/function.invoked";

/// An event as it arrived: its data is read once its type is known.
pub struct Incoming<'a> {
    name: &'a str,
    data: Option<&'a RawValue>,
}

impl<'a> Incoming<'a> {
    pub(crate) fn new(name: &'a str, data: Option<&'a RawValue>) -> Self {
        Self { name, data }
    }

    /// The event's name.
    pub fn name(&self) -> &str {
        self.name
    }

    /// Whether the run was invoked: then the name says nothing of the data.
    pub fn is_invocation(&self) -> bool {
        self.name == INVOKED
    }

    /// The event's data as a `T`. Data that says nothing is whatever `T` takes for that, such as a unit struct or one whose
    /// fields may all be absent.
    pub fn data<T: DeserializeOwned>(&self) -> Result<T, EventMismatch> {
        event_data(self.data).map_err(|mismatch| self.mismatch(mismatch.to_string()))
    }

    /// An error that says why the event cannot be read.
    pub fn mismatch(&self, reason: impl Into<String>) -> EventMismatch {
        EventMismatch { event: self.name.to_owned(), reason: reason.into() }
    }
}

/// Reads the data of an event.
pub(crate) fn event_data<T: DeserializeOwned>(data: Option<&RawValue>) -> Result<T, Mismatch> {
    let data = data.unwrap_or(RawValue::NULL);
    // No data is `null` from one sender and `{}` from the next; a unit struct reads the first, other structs the second.
    let same = match data.get() {
        "null" => "{}",
        "{}" => "null",
        _ => return decode(data),
    };
    decode(data).or_else(|mismatch| serde_json::from_str(same).map_err(|_| mismatch))
}

/// Takes what the server adds to an invoked run's data out of it again (P-114): a strict type would refuse it, and a map
/// would show it.
pub(crate) fn without_servers_part<'a>(event: &str, data: &'a RawValue) -> Cow<'a, RawValue> {
    let without = || {
        let mut fields: BTreeMap<Cow<'_, str>, &RawValue> =
            serde_json::from_str(data.get()).ok()?;
        fields.remove("_inngest")?;
        serde_json::value::to_raw_value(&fields).ok()
    };
    let changed = (event == INVOKED).then(without).flatten();
    changed.map_or(Cow::Borrowed(data), Cow::Owned)
}

/// An event whose data is not what its name promises. Trying again cannot help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the data of event `{event}` does not fit: {reason}")]
pub struct EventMismatch {
    event: String,
    reason: String,
}
