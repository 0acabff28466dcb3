//! Functions with their types erased, as an endpoint holds them.

use std::sync::Arc;

use super::start::{Code, FailureHandler, Given, Start, write_output};
use super::{Context, Failure, FailureContext, Function, OnFailure};
use crate::check::Mistakes;
use crate::engine::{CallState, FunctionFuture};
use crate::expression::text_literal;
use crate::middleware::Middleware;
use crate::{Checkpointing, Config, EventSet, ResultExt as _, Scheduled, Step, Trigger};

/// What an [`App`](crate::App) can serve: a [`Function`], one with settings of its own by [`Config::function`], or a
/// plain `async fn` by [`Config::run`].
pub trait Serve {
    /// The function without its types.
    #[doc(hidden)]
    fn erased(self) -> Erased;
}

impl<F> FailureHandler<F> for () {
    fn of(_: &Arc<F>) -> Option<Code> {
        None
    }
}

impl<F: OnFailure> FailureHandler<F> for F {
    fn of(function: &Arc<F>) -> Option<Code> {
        Some(Code(Box::new(FailedRun(Arc::clone(function)))))
    }
}

/// A function without its types.
pub struct Erased {
    pub(super) config: Config,
    pub(super) events: Events,
    pub(super) middleware: Vec<Arc<dyn Middleware>>,
    pub(super) code: Code,
    pub(super) on_failure: Option<Code>,
}

/// The events that a function takes.
pub(super) struct Events {
    triggers: Vec<Trigger>,
    accepts: fn(&str) -> bool,
}

impl Events {
    pub(super) fn of<E: EventSet>() -> Self {
        Self { triggers: E::triggers(), accepts: E::accepts }
    }
}

impl<F: Function> Serve for F {
    fn erased(self) -> Erased {
        F::config().function(self).erased()
    }
}

/// A function with settings of its own: [`Config::function`].
pub struct Configured<F> {
    config: Config,
    function: F,
}

impl Config {
    /// Serves `function` with these settings instead of those of its type, for what is known only when the program
    /// runs.
    ///
    /// ```
    /// # use inngest::{App, Concurrency, Config, Context, Function, Result};
    /// # struct Charge;
    /// # impl Function for Charge {
    /// #   type Event = ();
    /// #   type Output = ();
    /// #   type OnFailure = ();
    /// #   fn config() -> Config { Config::id("charge").event("shop/order.placed") }
    /// #   async fn run(&self, _: Context<'_, Self>) -> Result<()> { Ok(()) }
    /// # }
    /// # fn serve(app: App, at_once: u32) -> App {
    /// app.function(Charge::config().concurrency(Concurrency::limit(at_once)).function(Charge))
    /// # }
    /// ```
    pub fn function<F: Function>(self, function: F) -> Configured<F> {
        Configured { config: self, function }
    }
}

impl<F: Function> Serve for Configured<F> {
    fn erased(self) -> Erased {
        let Self { config, function } = self;
        let function = Arc::new(function);
        Erased {
            config,
            events: Events::of::<F::Event>(),
            middleware: function.middleware(),
            on_failure: F::OnFailure::of(&function),
            code: Code(Box::new(Typed(function))),
        }
    }
}

/// A function under the id that the server knows it by, `<app>-<function>` (P-075).
pub(crate) struct Served {
    pub(crate) id: String,
    pub(crate) config: Config,
    pub(crate) triggers: Vec<Trigger>,
    pub(crate) middleware: Vec<Arc<dyn Middleware>>,
    events: Events,
    code: Code,
}

const FAILED: &str = "inngest/function.failed";

impl Served {
    /// The function, and the one that handles its failures.
    pub(crate) fn of(function: Erased, app_id: &str) -> impl Iterator<Item = Self> {
        let Erased { config, events, middleware, code, on_failure } = function;
        let id = format!("{app_id}-{}", config.id);
        let handler = on_failure.map(|code| {
            let failed = format!("event.data.function_id == {}", text_literal(&id));
            let triggers = vec![Trigger::named(FAILED).matching(failed)];
            let events = Events { triggers: Vec::new(), accepts: |name| name == FAILED };
            let (id, config) = (format!("{id}-failure"), handler_config(&config));
            Self { id, config, triggers, middleware: middleware.clone(), events, code }
        });
        let triggers = config.triggers_or(&events.triggers);
        std::iter::once(Self { id, config, triggers, middleware, events, code }).chain(handler)
    }

    pub(crate) fn checkpointing(&self) -> Option<Checkpointing> {
        self.config.checkpointing
    }

    /// Notes what is wrong with the settings.
    pub(crate) fn check(&self, mistakes: &mut Mistakes<'_>) {
        self.check_events(mistakes);
        Trigger::check_all(&self.triggers, mistakes);
        self.config.check(mistakes);
    }

    /// Whether the function can take what starts it, and is started by what it takes.
    fn check_events(&self, mistakes: &mut Mistakes<'_>) {
        let Events { triggers: expected, accepts } = &self.events;
        let scheduled = self.triggers.iter().any(Trigger::is_schedule);
        if self.config.only_invoked {
            if !self.triggers.is_empty() {
                mistakes.add("only_invoked", "contradicts a trigger");
            }
        } else if self.triggers.is_empty() {
            mistakes
                .add("triggers", "are missing: name an event or a schedule, or say `only_invoked`");
        } else if scheduled && !accepts(Scheduled::NAME) {
            mistakes.add("triggers", "have a schedule, but the function's event is no `Scheduled`");
        } else if !scheduled && !expected.is_empty() && accepts(Scheduled::NAME) {
            mistakes.add(
                "triggers",
                "have no schedule, which the function's event expects; name one with `cron`",
            );
        }
        for event in self.triggers.iter().filter_map(Trigger::event_name) {
            if !accepts(event) {
                mistakes.add(
                    "triggers",
                    format_args!("name event `{event}`, which the function's event type is not"),
                );
            }
        }
    }

    pub(crate) fn start<'a>(
        &'a self,
        call: &'a CallState<'a>,
        given: Given<'a>,
    ) -> FunctionFuture<'a> {
        self.code.0.start(call, given)
    }
}

/// Nothing of the function's own settings: its limits are for its work (P-185).
fn handler_config(config: &Config) -> Config {
    let name = config.name.as_deref().unwrap_or(&config.id);
    Config::id(format!("{}-failure", config.id)).name(format!("{name} (failure)")).retries(1)
}

struct Typed<F>(Arc<F>);

impl<F: Function> Start for Typed<F> {
    fn start<'a>(&'a self, call: &'a CallState<'a>, given: Given<'a>) -> FunctionFuture<'a> {
        Box::pin(async move {
            let Given { event, events: batch, extensions } = given;
            let event = event.typed().no_retry()?;
            let cx = Context { event, step: Step::new(call), run: call.run, extensions, batch };
            write_output(&self.0.run(cx).await?)
        })
    }
}

struct FailedRun<F>(Arc<F>);

impl<F: OnFailure> Start for FailedRun<F> {
    fn start<'a>(&'a self, call: &'a CallState<'a>, given: Given<'a>) -> FunctionFuture<'a> {
        Box::pin(async move {
            let Given { event, extensions, .. } = given;
            let failure = Failure::read(event.data.as_deref(), call.hooks)?;
            let cx = FailureContext { failure, step: Step::new(call), run: call.run, extensions };
            self.0.on_failure(cx).await?;
            write_output(&())
        })
    }
}
