//! Functions that are plain `async fn`s.

use std::future::Future;
use std::marker::PhantomData;

use serde::Serialize;

use super::Failure;
use super::served::{Erased, Events, Serve};
use super::start::{Code, Given, Start, write_output};
use crate::engine::{CallState, FunctionFuture};
use crate::{Config, Error, Event, EventSet, Result, ResultExt as _, Step};

/// An `async fn(I, Step<'_>) -> Result<O, E>`, where `E` is any error that becomes an [`Error`].
///
/// Every such function is one. A closure is not: the compiler cannot know that what it returns borrows the step. A
/// function that needs more than its event and steps implements [`Function`](super::Function).
#[diagnostic::on_unimplemented(
    message = "this is no `async fn(Event<E>, Step<'_>) -> inngest::Result<O>`",
    note = "a closure cannot be a handler: write an `async fn`, or implement `inngest::Function`"
)]
pub trait Handler<'a, I, O>: Send + Sync + 'static {
    /// How it fails.
    type Error: Into<Error>;
    /// Its body.
    type Future: Future<Output = Result<O, Self::Error>> + Send + 'a;

    /// Begins it.
    fn call(&self, input: I, step: Step<'a>) -> Self::Future;
}

impl<'a, F, Fut, I, O, E> Handler<'a, I, O> for F
where
    F: Fn(I, Step<'a>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<O, E>> + Send + 'a,
    E: Into<Error>,
{
    type Error = E;
    type Future = Fut;

    fn call(&self, input: I, step: Step<'a>) -> Fut {
        self(input, step)
    }
}

/// A plain `async fn` with its settings: [`Config::run`].
pub struct AsyncFunction<E> {
    function: Erased,
    event: PhantomData<fn() -> E>,
}

impl Config {
    /// Serves a plain `async fn` with these settings.
    ///
    /// ```
    /// use inngest::{App, Config, Event, EventData, Result, Step};
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Hello { name: String }
    /// impl EventData for Hello { const NAME: &'static str = "demo/hello"; }
    ///
    /// async fn greet(event: Event<Hello>, step: Step<'_>) -> Result<String> {
    ///     let name = event.data.name;
    ///     Ok(step.run("greet", async || Ok(format!("Hello, {name}!"))).await?)
    /// }
    ///
    /// # fn serve(app: App) -> App {
    /// app.function(Config::id("greet").run(greet))
    /// # }
    /// ```
    pub fn run<E, O, F>(self, function: F) -> AsyncFunction<E>
    where
        E: EventSet,
        O: Serialize + Send + 'static,
        F: for<'a> Handler<'a, Event<E>, O>,
    {
        let function = Erased {
            config: self,
            events: Events::of::<E>(),
            middleware: Vec::new(),
            code: Code(Box::new(OfEvent { function, types: PhantomData::<fn() -> (E, O)> })),
            on_failure: None,
        };
        AsyncFunction { function, event: PhantomData }
    }
}

impl<E: EventSet> AsyncFunction<E> {
    /// Calls `handler` for each run that has failed, as [`OnFailure`](super::OnFailure) does: an
    /// `async fn(Failure<E>, Step<'_>) -> Result<()>`.
    #[must_use]
    pub fn on_failure<H>(mut self, handler: H) -> Self
    where
        H: for<'a> Handler<'a, Failure<E>, ()>,
    {
        let handler = OfFailure { handler, event: PhantomData::<fn() -> E> };
        self.function.on_failure = Some(Code(Box::new(handler)));
        self
    }
}

impl<E> Serve for AsyncFunction<E> {
    fn erased(self) -> Erased {
        self.function
    }
}

struct OfEvent<F, E, O> {
    function: F,
    types: PhantomData<fn() -> (E, O)>,
}

impl<F, E, O> Start for OfEvent<F, E, O>
where
    E: EventSet,
    O: Serialize + Send + 'static,
    F: for<'a> Handler<'a, Event<E>, O>,
{
    fn start<'a>(&'a self, call: &'a CallState<'a>, given: Given<'a>) -> FunctionFuture<'a> {
        Box::pin(async move {
            let event = given.event.typed().no_retry()?;
            let output = self.function.call(event, Step::new(call)).await;
            write_output(&output.map_err(Into::into)?)
        })
    }
}

struct OfFailure<H, E> {
    handler: H,
    event: PhantomData<fn() -> E>,
}

impl<H, E> Start for OfFailure<H, E>
where
    E: EventSet,
    H: for<'a> Handler<'a, Failure<E>, ()>,
{
    fn start<'a>(&'a self, call: &'a CallState<'a>, given: Given<'a>) -> FunctionFuture<'a> {
        Box::pin(async move {
            let failure = Failure::read(given.event.data.as_deref(), call.hooks)?;
            self.handler.call(failure, Step::new(call)).await.map_err(Into::into)?;
            write_output(&())
        })
    }
}
