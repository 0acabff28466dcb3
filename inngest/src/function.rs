//! Functions: what a user implements, and the same with its types erased, as the endpoint holds it.

use std::future::Future;
use std::sync::Arc;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::check::Mistakes;
use crate::engine::{CallState, FunctionFuture};
use crate::event::RawEvent;
use crate::json;
use crate::middleware::Middleware;
use crate::{
    Config, Context, Error, EventSet, Result, ResultExt as _, Run, Scheduled, Step, Trigger,
};

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
///     const ID: &'static str = "charge-order";
///     type Event = OrderPlaced;
///     type Output = String;
///
///     fn config(&self) -> Config { Config::new().retries(3) }
///
///     async fn run(&self, cx: Context<'_, OrderPlaced>) -> Result<String> {
///         let order = &cx.event.data;
///         if order.amount <= 0 {
///             return Err("amount must be positive").no_retry();
///         }
///         let charge: String = cx.step.run("charge", async || self.charge(order).await).await?;
///         Ok(charge)
///     }
/// }
/// # impl ChargeOrder { async fn charge(&self, order: &OrderPlaced) -> Result<String> { Ok(order.order_id.clone()) } }
/// ```
pub trait Function: Send + Sync + 'static {
    /// The function's id within its app. Runs under way are lost when it changes.
    const ID: &'static str;
    /// The event that starts it: an [`EventData`](crate::EventData), several made one type by
    /// [`events!`](crate::events), or [`Scheduled`]. An event whose data does not fit fails the run at once, without a
    /// retry.
    type Event: EventSet;
    /// What it returns, as JSON.
    type Output: Serialize + Send;

    /// How the server shall run it.
    fn config(&self) -> Config {
        Config::new()
    }

    /// What starts it: every event of its event's type. Conditions and schedules are named here.
    fn triggers(&self) -> Vec<Trigger> {
        Self::Event::triggers()
    }

    /// What looks at its calls, after the [client's](crate::Client::with_middleware).
    fn middleware(&self) -> Vec<Arc<dyn Middleware>> {
        Vec::new()
    }

    /// One call of one run: goes through the finished steps to the first that has no result yet.
    fn run(
        &self,
        cx: Context<'_, Self::Event>,
    ) -> impl Future<Output = Result<Self::Output>> + Send;
}

/// What a call gives to its function.
pub(crate) struct Given<'a> {
    pub(crate) event: RawEvent<'a>,
    pub(crate) events: &'a [&'a RawValue],
    pub(crate) extensions: &'a http::Extensions,
}

/// A function without its types.
pub(crate) trait DynFunction: Send + Sync {
    /// Its id within its app.
    fn id(&self) -> &str;
    fn config(&self) -> Config;
    fn triggers(&self, app_id: &str) -> Vec<Trigger>;
    fn middleware(&self) -> Vec<Arc<dyn Middleware>>;
    /// Notes what is wrong with `triggers` for a function of this type.
    fn check(&self, triggers: &[Trigger], mistakes: &mut Mistakes<'_>);
    fn start<'a>(
        &'a self,
        call: &'a CallState<'a>,
        run: Run<'a>,
        given: Given<'a>,
    ) -> FunctionFuture<'a>;
}

/// A function under its own id.
pub(crate) struct Handler<F>(pub(crate) Arc<F>);

impl<F: Function> DynFunction for Handler<F> {
    fn id(&self) -> &str {
        F::ID
    }

    fn config(&self) -> Config {
        self.0.config()
    }

    fn triggers(&self, _: &str) -> Vec<Trigger> {
        self.0.triggers()
    }

    fn middleware(&self) -> Vec<Arc<dyn Middleware>> {
        self.0.middleware()
    }

    fn check(&self, triggers: &[Trigger], mistakes: &mut Mistakes<'_>) {
        let takes_schedule = F::Event::accepts(Scheduled::NAME);
        if takes_schedule != triggers.iter().any(Trigger::is_schedule) {
            mistakes.add(
                "triggers",
                if takes_schedule {
                    "have no schedule; name one in `triggers()`, its event is `Scheduled`"
                } else {
                    "have a schedule, but the function's event is no `Scheduled`"
                },
            );
        }
        for event in triggers.iter().filter_map(Trigger::event_name) {
            if !F::Event::accepts(event) {
                mistakes.add(
                    "triggers",
                    format_args!("name event `{event}`, which the function's event type is not"),
                );
            }
        }
    }

    fn start<'a>(
        &'a self,
        call: &'a CallState<'a>,
        run: Run<'a>,
        given: Given<'a>,
    ) -> FunctionFuture<'a> {
        Box::pin(async move {
            let Given { event, events: batch, extensions } = given;
            let event = event.typed().no_retry()?;
            let cx = Context { event, step: Step::new(call), run, extensions, batch };
            write_output(&self.0.run(cx).await?)
        })
    }
}

/// What a function returns, as the server stores it.
pub(crate) fn write_output(output: &impl Serialize) -> Result<Box<RawValue>> {
    json::function_result(output).map_err(|reason| {
        Error::from(format!("the function's result cannot be sent: {reason}")).no_retry()
    })
}
