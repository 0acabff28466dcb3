//! Functions: what a user implements.

mod failure;
mod handler;
mod invoke;
mod served;
mod start;

use std::future::Future;
use std::sync::Arc;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::middleware::Middleware;
use crate::raw_event::RawEvent;
use crate::{Config, Event, EventSet, Result, ResultExt as _, Run, Step};

pub use failure::{Failure, FailureCause};
pub use handler::{AsyncFunction, Handler};
pub(crate) use served::Served;
pub use served::{Configured, Serve};
pub use start::FailureHandler;
pub(crate) use start::{Given, write_output};

/// A durable function: started by an event, advanced step by step, retried by the server.
///
/// ```
/// use inngest::{Config, Context, EventData, Result, ResultExt as _};
///
/// #[derive(serde::Deserialize)]
/// struct OrderPlaced { order_id: String, amount: i64 }
/// impl EventData for OrderPlaced { const NAME: &'static str = "shop/order.placed"; }
///
/// struct ChargeOrder { /* clients, pools: what the steps need */ }
///
/// impl inngest::Function for ChargeOrder {
///     type Event = OrderPlaced;
///     type Output = String;
///     type OnFailure = ();
///
///     fn config() -> Config { Config::id("charge-order").retries(3) }
///
///     async fn run(&self, cx: Context<'_, Self>) -> Result<String> {
///         let order = &cx.event.data;
///         if order.amount <= 0 {
///             return Err("amount must be positive").no_retry();
///         }
///         let charge = cx.step.run("charge", async || self.charge(order).await).await?;
///         Ok(charge)
///     }
/// }
/// # impl ChargeOrder { async fn charge(&self, order: &OrderPlaced) -> Result<String> { Ok(order.order_id.clone()) } }
/// ```
///
/// A function that needs nothing but its event is as well a plain `async fn`: see [`Config::run`].
#[diagnostic::on_unimplemented(
    note = "a plain `async fn` is served with its settings: `Config::id(..).run(..)`"
)]
pub trait Function: Send + Sync + Sized + 'static {
    /// The event that starts it: an [`EventData`](crate::EventData), several made one type by
    /// [`events!`](crate::events), [`Scheduled`](crate::Scheduled), or `()` where the event does not matter. An event
    /// whose data does not fit fails the run at once, without a retry.
    type Event: EventSet;
    /// What it returns, as JSON.
    type Output: Serialize + Send;
    /// What handles a run that has failed: `Self`, which then is [`OnFailure`], or nothing, `()`.
    type OnFailure: FailureHandler<Self>;

    /// Its id and name, what starts it and how the server runs it.
    ///
    /// It is the same for every value of the type, so that [`Step::invoke`] knows a function by its type. Settings
    /// that only a value knows are added where it is served: [`Config::function`].
    fn config() -> Config;

    /// What looks at its calls, after the [client's](crate::Client::with_middleware).
    fn middleware(&self) -> Vec<Arc<dyn Middleware>> {
        Vec::new()
    }

    /// One call of one run: goes through the finished steps to the first that has no result yet.
    fn run(&self, cx: Context<'_, Self>) -> impl Future<Output = Result<Self::Output>> + Send;
}

/// What a function is given.
///
/// Code outside steps runs again on every call of a run, so it must come to the same steps each time: take
/// times, random values and everything from outside in a step.
#[non_exhaustive]
pub struct Context<'a, F: Function> {
    /// The event that started the run.
    pub event: Event<F::Event>,
    /// Makes steps.
    pub step: Step<'a>,
    /// The run and the attempt.
    pub run: Run<'a>,
    /// What [middleware](crate::middleware) has put there for the function.
    pub extensions: &'a http::Extensions,
    /// All events of the run, unread.
    batch: &'a [&'a RawValue],
}

impl<F: Function> Context<'_, F> {
    /// All events of a [batch](crate::Batch), in the order in which the server has them; outside a batch the one event.
    ///
    /// One whose data does not fit makes a final error that names its position.
    pub fn events(&self) -> Result<Vec<Event<F::Event>>> {
        let hooks = self.step.hooks();
        let read = |(index, event): (usize, &&RawValue)| {
            let event = RawEvent::read(event, hooks).and_then(|event| event.typed().no_retry());
            event.map_err(|error| error.within(format_args!("event {index} of the batch")))
        };
        self.batch.iter().enumerate().map(read).collect()
    }
}

/// A function with a handler for its failed runs: the attempts are used up, the error was final, or
/// the app could not be reached.
///
/// The handler is a function of its own at Inngest, `<id>-failure`, with one retry and none of the other settings
/// (P-184, P-185). It does not run for cancelled runs (P-187).
///
/// It cannot be forgotten: a function is one of these exactly where it says `type OnFailure = Self`.
///
/// ```
/// use inngest::{Config, Context, EventData, FailureContext, Function, OnFailure, Result};
///
/// #[derive(serde::Deserialize)]
/// struct OrderPlaced { order_id: String }
/// impl EventData for OrderPlaced { const NAME: &'static str = "shop/order.placed"; }
///
/// struct Charge;
///
/// impl Function for Charge {
///     type Event = OrderPlaced;
///     type Output = ();
///     type OnFailure = Self;
///     fn config() -> Config { Config::id("charge") }
///     async fn run(&self, _: Context<'_, Self>) -> Result<()> { Ok(()) }
/// }
///
/// impl OnFailure for Charge {
///     async fn on_failure(&self, cx: FailureContext<'_, Self>) -> Result<()> {
///         let order = cx.failure.event.as_ref().map_or("unreadable", |event| &event.data.order_id);
///         let note = format!("order {order}: {}", cx.failure.error.message);
///         cx.step.run("tell-people", async || tell(&note).await).await?;
///         Ok(())
///     }
/// }
/// # async fn tell(_: &str) -> Result<()> { Ok(()) }
/// ```
///
/// A handler that would never be called does not compile:
///
/// ```compile_fail,E0271
/// # use inngest::{Config, Context, FailureContext, Function, OnFailure, Result};
/// # struct Charge;
/// impl Function for Charge {
///     type OnFailure = ();
/// #   type Event = ();
/// #   type Output = ();
/// #   fn config() -> Config { Config::id("charge").event("shop/order.placed") }
/// #   async fn run(&self, _: Context<'_, Self>) -> Result<()> { Ok(()) }
/// }
/// impl OnFailure for Charge {
///     async fn on_failure(&self, _: FailureContext<'_, Self>) -> Result<()> { Ok(()) }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` says `type OnFailure = Self` and has no `impl OnFailure`",
    note = "where no handler is wanted, say `type OnFailure = ()`"
)]
pub trait OnFailure: Function<OnFailure = Self> {
    /// Handles one failed run. Steps work as in [`Function::run`].
    fn on_failure(&self, cx: FailureContext<'_, Self>) -> impl Future<Output = Result<()>> + Send;
}

/// What a failure handler is given.
#[non_exhaustive]
pub struct FailureContext<'a, F: Function> {
    /// The run that has failed, and why.
    pub failure: Failure<F::Event>,
    /// Makes steps.
    pub step: Step<'a>,
    /// The run of the handler itself, and its attempt.
    pub run: Run<'a>,
    /// What [middleware](crate::middleware) has put there for the handler.
    pub extensions: &'a http::Extensions,
}
