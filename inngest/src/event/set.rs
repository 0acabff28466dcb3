//! What a function can be started with: one type of event, several, or a schedule.

use super::{EventData, EventMismatch, Incoming, Trigger};

/// The events that start a function, as one type.
///
/// Every [`EventData`] is a set of one. [`events!`](crate::events) makes an enum of several,
/// [`Scheduled`](crate::Scheduled) is that of a schedule, and `()` takes any event without looking at it.
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

/// Any event, for a function that does not look at it: its [`Config`](crate::Config) names what starts it.
impl EventSet for () {
    fn triggers() -> Vec<Trigger> {
        Vec::new()
    }

    fn accepts(_: &str) -> bool {
        true
    }

    fn decode(_: &Incoming<'_>) -> Result<Self, EventMismatch> {
        Ok(())
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
