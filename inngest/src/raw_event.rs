use std::borrow::Cow;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Map, Number, Value};

use crate::event::without_servers_part;
use crate::middleware::{Hooks, PayloadKind};
use crate::{Event, EventMismatch, EventSet, Incoming, Result, json};

/// An event of a call, its data unparsed.
pub(crate) struct RawEvent<'a> {
    id: Option<String>,
    name: String,
    pub(crate) data: Option<Cow<'a, RawValue>>,
    ts: Option<Number>,
    user: Map<String, Value>,
    v: Option<String>,
}

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    #[serde(default)]
    ts: Option<Number>,
    #[serde(borrow, default)]
    user: Option<&'a RawValue>,
    #[serde(borrow, default)]
    v: Option<&'a RawValue>,
}

/// What is read of an event without its being needed: odd values there end no run.
fn lenient<T: DeserializeOwned>(json: Option<&RawValue>) -> Option<T> {
    serde_json::from_str(json?.get()).ok()
}

/// How deep an event may nest: its data, and around it the event, as part of the data of one that reports its run's
/// failure. Text that nothing here looks at would otherwise pass at any depth, and fail where it is read next.
const MAX_DEPTH: usize = json::READABLE_DEPTH + 3;

impl<'a> RawEvent<'a> {
    /// Reads an event of a run, and lets middleware look at its data.
    pub(crate) fn read(json: &'a RawValue, hooks: Hooks<'_>) -> Result<Self> {
        let event = Self::parse(json, None);
        event.map_err(|problem| format!("the event cannot be read: {problem}"))?.seen_by(hooks)
    }

    /// Reads an event that may lack its name where it is known.
    pub(crate) fn parse(json: &'a RawValue, name: Option<&str>) -> Result<Self, String> {
        if json::nests_deeper(json.get(), MAX_DEPTH) {
            return Err(format!("it nests deeper than {MAX_DEPTH} levels"));
        }
        let event: Wire<'_> = serde_json::from_str(json.get()).map_err(|e| e.to_string())?;
        let name = event.name.or_else(|| name.map(str::to_owned)).ok_or("it has no name")?;
        let data = event.data.map(|data| without_servers_part(&name, data));
        let (user, v) = (lenient(event.user).unwrap_or_default(), lenient(event.v));
        Ok(Self { id: event.id, name, data, ts: event.ts, user, v })
    }

    /// Lets middleware look at its data.
    pub(crate) fn seen_by(mut self, hooks: Hooks<'_>) -> Result<Self> {
        if let Some(came) = &self.data
            && let Some(changed) = hooks.incoming(PayloadKind::Event { name: &self.name }, came)?
        {
            self.data = Some(Cow::Owned(changed));
        }
        Ok(self)
    }

    /// The event with its data read as one of `E`.
    pub(crate) fn typed<E: EventSet>(self) -> Result<Event<E>, EventMismatch> {
        let data = E::decode(&Incoming::new(&self.name, self.data.as_deref()))?;
        Ok(self.with(data))
    }

    /// The same event with this data.
    pub(crate) fn with<T>(self, data: T) -> Event<T> {
        let ts = self.ts.and_then(|ts| ts.as_i64());
        Event { id: self.id, name: self.name, data, ts, user: self.user, v: self.v }
    }
}
