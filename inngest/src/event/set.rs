//! What a function can be started with: one type of event, several, or a schedule.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::engine::decode;
use crate::{EventData, Trigger};

/// The events that start a function, as one type.
///
/// Every [`EventData`] is a set of one. [`events!`](crate::events) makes an enum of several, and
/// [`Scheduled`] is that of a schedule.
pub trait EventSet: Sized + Send + 'static {
    /// What starts a function that says nothing else.
    fn triggers() -> Vec<Trigger>;

    /// Whether events of this name belong to the set.
    fn accepts(name: &str) -> bool;

    /// Reads an event.
    fn decode(event: &Incoming<'_>) -> Result<Self, EventMismatch>;
}

impl<E: EventData> EventSet for E {
    fn triggers() -> Vec<Trigger> {
        vec![Trigger::event::<E>()]
    }

    fn accepts(name: &str) -> bool {
        name == E::NAME
    }

    /// Whatever its name is: an invoked run's event has another (P-113).
    fn decode(event: &Incoming<'_>) -> Result<Self, EventMismatch> {
        event.data()
    }
}

/// The name of the event of a run that another function, or a person, has started directly.
const INVOKED: &str = "inngest/function.invoked";

/// An event as it arrived: its data is read once its type is known.
pub struct Incoming<'a> {
    name: &'a str,
    data: Option<Cow<'a, RawValue>>,
}

impl<'a> Incoming<'a> {
    /// Takes what the server adds to an invoked run's data out of it again (P-114): a strict type would refuse it, and
    /// a map would show it.
    pub(crate) fn new(name: &'a str, data: Option<&'a RawValue>) -> Self {
        let hidden = data.filter(|_| name == INVOKED).and_then(without_servers_part);
        Self { name, data: hidden.map(Cow::Owned).or(data.map(Cow::Borrowed)) }
    }

    /// The event's name.
    pub fn name(&self) -> &str {
        self.name
    }

    /// Whether the run was invoked: then the name says nothing of the data.
    pub fn is_invocation(&self) -> bool {
        self.name == INVOKED
    }

    /// The event's data as a `T`.
    pub fn data<T: DeserializeOwned>(&self) -> Result<T, EventMismatch> {
        decode(self.data.as_deref().unwrap_or(RawValue::NULL))
            .map_err(|mismatch| self.mismatch(mismatch.to_string()))
    }

    /// An error that says why the event cannot be read.
    pub fn mismatch(&self, reason: impl Into<String>) -> EventMismatch {
        EventMismatch { event: self.name.to_owned(), reason: reason.into() }
    }
}

fn without_servers_part(data: &RawValue) -> Option<Box<RawValue>> {
    let mut fields: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_str(data.get()).ok()?;
    fields.remove("_inngest")?;
    serde_json::value::to_raw_value(&fields).ok()
}

/// An event whose data is not what its name promises. Trying again cannot help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the data of event `{event}` does not fit: {reason}")]
pub struct EventMismatch {
    event: String,
    reason: String,
}

/// The event of a schedule, see [`Trigger::cron`]. Its id is a time, not a ULID (P-113).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct Scheduled {
    /// The schedule; empty when the function was invoked.
    pub cron: String,
    /// When the run was due, ISO 8601.
    pub scheduled_at: Option<String>,
}

impl Scheduled {
    /// The event's name.
    pub const NAME: &'static str = "inngest/scheduled.timer";
}

impl EventSet for Scheduled {
    /// None: the schedule is the function's.
    fn triggers() -> Vec<Trigger> {
        Vec::new()
    }

    fn accepts(name: &str) -> bool {
        name == Self::NAME
    }

    fn decode(event: &Incoming<'_>) -> Result<Self, EventMismatch> {
        event.data()
    }
}

/// Makes an enum of several events that start the same function.
///
/// ```
/// use inngest::{EventData, Scheduled};
///
/// #[derive(serde::Deserialize)]
/// struct Placed { order_id: String }
/// impl EventData for Placed { const NAME: &'static str = "shop/order.placed"; }
///
/// #[derive(serde::Deserialize)]
/// struct Paid { order_id: String }
/// impl EventData for Paid { const NAME: &'static str = "shop/order.paid"; }
///
/// inngest::events! {
///     /// What the function looks at.
///     enum OrderEvent { Placed(Placed), Paid(Paid) }
/// }
/// ```
///
/// An invoked run names no event; its data is that of the first variant that fits.
#[macro_export]
macro_rules! events {
    (
        $(#[$meta:meta])*
        $vis:vis enum $name:ident { $($(#[$of_variant:meta])* $variant:ident($data:ty)),+ $(,)? }
    ) => {
        $(#[$meta])*
        $vis enum $name { $($(#[$of_variant])* $variant($data)),+ }

        impl $crate::EventSet for $name {
            fn triggers() -> ::std::vec::Vec<$crate::Trigger> {
                [$(<$data as $crate::EventSet>::triggers()),+].concat()
            }

            fn accepts(name: &str) -> bool {
                false $(|| <$data as $crate::EventSet>::accepts(name))+
            }

            fn decode(
                event: &$crate::Incoming<'_>,
            ) -> ::std::result::Result<Self, $crate::EventMismatch> {
                $(if <$data as $crate::EventSet>::accepts(event.name()) {
                    return <$data as $crate::EventSet>::decode(event).map(Self::$variant);
                })+
                if event.is_invocation() {
                    $(if let Ok(data) = <$data as $crate::EventSet>::decode(event) {
                        return Ok(Self::$variant(data));
                    })+
                }
                Err(event.mismatch(concat!(
                    "it is none of", $(" ", stringify!($variant)),+
                )))
            }
        }
    };
}
