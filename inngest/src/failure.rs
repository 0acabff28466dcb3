//! What happens after a run has failed for good.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::check::{Mistakes, quoted};
use crate::engine::{CallState, FunctionFuture};
use crate::event::RawEvent;
use crate::function::{DynFunction, Given, write_output};
use crate::middleware::Middleware;
use crate::{Config, Context, Error, Event, Function, Result, ResultExt as _, Run, Step, Trigger};

/// A function that is told when a run of it has failed for good: its attempts are used up, its error was final, or
/// the app could not be reached.
///
/// The handler is a function of its own at Inngest, `<id>-failure`, with one retry and none of the other settings
/// (P-184, P-185). It does not run for cancelled runs (P-187). Serve it with
/// [`function_with_on_failure`](crate::EndpointBuilder::function_with_on_failure).
///
/// ```
/// use inngest::{Context, EventData, Failure, Function, OnFailure, Result};
///
/// #[derive(serde::Deserialize)]
/// struct OrderPlaced { order_id: String }
/// impl EventData for OrderPlaced { const NAME: &'static str = "shop/order.placed"; }
///
/// struct Charge;
///
/// impl Function for Charge {
///     const ID: &'static str = "charge";
///     type Event = OrderPlaced;
///     type Output = ();
///     async fn run(&self, _: Context<'_, OrderPlaced>) -> Result<()> { Ok(()) }
/// }
///
/// impl OnFailure for Charge {
///     async fn on_failure(&self, cx: Context<'_, Failure<OrderPlaced>>) -> Result<()> {
///         let failure = &cx.event.data;
///         let order = failure.event.as_ref().map_or("unreadable", |event| &event.data.order_id);
///         let note = format!("order {order}: {}", failure.error.message);
///         cx.step.run("tell-people", async || tell(&note).await).await?;
///         Ok(())
///     }
/// }
/// # async fn tell(_: &str) -> Result<()> { Ok(()) }
/// ```
pub trait OnFailure: Function {
    /// Handles one failed run. Steps work as in [`Function::run`].
    fn on_failure(
        &self,
        cx: Context<'_, Failure<Self::Event>>,
    ) -> impl Future<Output = Result<()>> + Send;
}

/// A run that has failed for good (P-186).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Failure<E> {
    /// The function, as `<app>-<function>`.
    pub function_id: String,
    /// The failed run. [`Run::id`] is that of the handler's own.
    pub run_id: String,
    /// Why it failed.
    pub error: FailureCause,
    /// The event that started it; of a batch the first. Where it could not be read, which may be why the run failed,
    /// the handler runs all the same.
    pub event: Result<Event<E>, String>,
    /// All its events.
    pub events: Vec<Result<Event<E>, String>>,
}

/// The error that ended a run.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FailureCause {
    /// Its kind, mostly `Error`.
    pub name: String,
    /// What happened.
    pub message: String,
    /// Where, if the app told.
    pub stack: Option<String>,
}

#[derive(Deserialize)]
struct WireFailure<'a> {
    function_id: String,
    run_id: String,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
    #[serde(borrow)]
    event: &'a RawValue,
    #[serde(borrow, default)]
    events: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize)]
struct WireCause {
    #[serde(default)]
    name: Option<String>,
    message: String,
    #[serde(default)]
    stack: Option<String>,
}

impl FailureCause {
    /// The app may have answered anything, and the server hands it on (P-118).
    fn read(raw: Option<&RawValue>) -> Self {
        let text = raw.map_or("no reason given", RawValue::get);
        let wire = serde_json::from_str(text).unwrap_or_else(|_| WireCause {
            name: None,
            message: text.to_owned(),
            stack: None,
        });
        let name = wire.name.unwrap_or_else(|| "Error".to_owned());
        Self { name, message: wire.message, stack: wire.stack }
    }
}

impl<E: crate::EventSet> Failure<E> {
    fn read(data: Option<&RawValue>) -> Result<Self> {
        let text = data.map_or("null", RawValue::get);
        let wire: WireFailure<'_> = serde_json::from_str(text)
            .map_err(|error| format!("the failure event cannot be read: {error}"))
            .no_retry()?;
        let event = |raw: &RawValue| {
            RawEvent::read(raw)
                .and_then(|event| event.typed().map_err(|mismatch| mismatch.to_string()))
        };
        Ok(Self {
            function_id: wire.function_id,
            run_id: wire.run_id,
            error: FailureCause::read(wire.error),
            event: event(wire.event),
            events: wire
                .events
                .unwrap_or_else(|| vec![wire.event])
                .into_iter()
                .map(event)
                .collect(),
        })
    }
}

/// The failure handler of a function, as a function of its own.
pub(crate) struct FailureOf<F> {
    id: String,
    function: Arc<F>,
}

impl<F: OnFailure> FailureOf<F> {
    pub(crate) fn new(function: Arc<F>) -> Self {
        Self { id: format!("{}-failure", F::ID), function }
    }
}

impl<F: OnFailure> DynFunction for FailureOf<F> {
    fn id(&self) -> &str {
        &self.id
    }

    /// Nothing of the function's own settings: its limits are for its work (P-185).
    fn config(&self) -> Config {
        let name = self.function.config().name.unwrap_or_else(|| F::ID.to_owned());
        Config::new().name(format!("{name} (failure)")).retries(1)
    }

    fn triggers(&self, app_id: &str) -> Vec<Trigger> {
        let failed = quoted(&format!("{app_id}-{}", F::ID));
        let condition = format!("event.data.function_id == {failed}");
        vec![Trigger::named("inngest/function.failed").matching(condition)]
    }

    fn middleware(&self) -> Vec<Arc<dyn Middleware>> {
        self.function.middleware()
    }

    fn check(&self, _: &[Trigger], _: &mut Mistakes<'_>) {}

    fn start<'a>(
        &'a self,
        call: &'a CallState<'a>,
        run: Run<'a>,
        given: Given<'a>,
    ) -> FunctionFuture<'a> {
        Box::pin(async move {
            let Given { event, events: batch, extensions } = given;
            let failure = Failure::read(event.data)?;
            let event = event.with(failure);
            let cx = Context { event, step: Step::new(call), run, extensions, batch };
            self.function.on_failure(cx).await?;
            write_output(&()).map_err(Error::no_retry)
        })
    }
}
