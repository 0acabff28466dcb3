//! Functions: what a user implements, and the same with its types erased, as the endpoint holds it.

use std::future::Future;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::engine::{CallState, FunctionFuture, decode};
use crate::json;
use crate::{Config, Context, Error, Event, EventData, Result, Run, Step};

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
    /// The event that starts it. An event whose data does not fit fails the run at once, without a retry.
    type Event: EventData;
    /// What it returns, as JSON.
    type Output: Serialize + Send;

    /// How the server shall run it.
    fn config(&self) -> Config {
        Config::new()
    }

    /// One call of one run: goes through the finished steps to the first that has no result yet.
    fn run(
        &self,
        cx: Context<'_, Self::Event>,
    ) -> impl Future<Output = Result<Self::Output>> + Send;
}

/// The event of a call, unparsed.
pub(crate) struct RawEvent<'a> {
    pub(crate) id: Option<String>,
    pub(crate) name: String,
    pub(crate) data: Option<&'a RawValue>,
    pub(crate) ts: Option<i64>,
}

/// A function without its types.
pub(crate) trait DynFunction: Send + Sync {
    fn id(&self) -> &'static str;
    fn event_name(&self) -> &'static str;
    fn config(&self) -> Config;
    fn start<'a>(
        &'a self,
        call: &'a CallState<'a>,
        run: Run<'a>,
        event: RawEvent<'a>,
    ) -> FunctionFuture<'a>;
}

impl<F: Function> DynFunction for F {
    fn id(&self) -> &'static str {
        F::ID
    }

    fn event_name(&self) -> &'static str {
        F::Event::NAME
    }

    fn config(&self) -> Config {
        Function::config(self)
    }

    fn start<'a>(
        &'a self,
        call: &'a CallState<'a>,
        run: Run<'a>,
        event: RawEvent<'a>,
    ) -> FunctionFuture<'a> {
        Box::pin(async move {
            let event = typed(event)?;
            let output = Function::run(self, Context { event, step: Step::new(call), run }).await?;
            json::function_result(&output).map_err(|reason| {
                Error::from(format!("the function's result cannot be sent: {reason}")).no_retry()
            })
        })
    }
}

fn typed<T: EventData>(event: RawEvent<'_>) -> Result<Event<T>> {
    let data = decode(event.data.unwrap_or(RawValue::NULL)).map_err(|mismatch| {
        Error::from(format!("the data of event `{}` does not fit: {mismatch}", event.name))
            .no_retry()
    })?;
    Ok(Event { id: event.id, name: event.name, data, ts: event.ts })
}
