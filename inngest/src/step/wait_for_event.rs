use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::{Step, expression, limits};
use crate::check::Purpose;
use crate::engine::{StepSlot, Work};
use crate::event::event_data;
use crate::expression::Written;
use crate::middleware::Hooks;
use crate::raw_event::RawEvent;
use crate::{Event, EventData, Expression, Result, StepError};

impl<'a> Step<'a> {
    /// Waits for an event of the type `E` that is sent after the wait has begun.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # #[derive(serde::Deserialize)] struct Paid { amount: i64 }
    /// # impl inngest::EventData for Paid { const NAME: &'static str = "shop/paid"; }
    /// # async fn f(step: inngest::Step<'_>) -> inngest::Result<()> {
    /// let payment = step
    ///     .wait_for_event::<Paid>("await-payment")
    ///     .matching("data.orderId")
    ///     .timeout(Duration::from_secs(3600))
    ///     .await?;
    /// match payment {
    ///     Some(event) => println!("paid {}", event.data.amount),
    ///     None => println!("no payment within an hour"),
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// `None` says that none came in time. An event that came and whose data does not fit `E` is an error with
    /// the name `UnexpectedEvent`.
    pub fn wait_for_event<E: EventData>(self, id: &str) -> WaitForEvent<'a, E> {
        WaitForEvent {
            slot: self.make(id),
            timeout: limits::YEAR,
            conditions: Vec::new(),
            event: PhantomData,
        }
    }
}

/// A wait for an event: [`Step::wait_for_event`].
#[must_use = "a step that is not awaited does not exist"]
pub struct WaitForEvent<'a, E> {
    slot: StepSlot<'a>,
    timeout: Duration,
    conditions: Vec<Result<Written, String>>,
    event: PhantomData<fn() -> E>,
}

impl<E: EventData> WaitForEvent<'_, E> {
    /// How long to wait, at most 366 days; 365 days where nothing is said.
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Only an event that has the same value at `path`, such as `data.orderId`, as the one that started the
    /// run. One without that field, or with `null` there, never is.
    ///
    /// The server does not find texts equal that have double quotes, backslashes or control characters (P-132). For those
    /// use [`when`](Self::when) with the value in an [`Expression`].
    pub fn matching(mut self, path: &str) -> Self {
        self.conditions.push(expression::same(path));
        self
    }

    /// Only an event for which this expression (CEL) holds. In it, `event` is the event that started the run and
    /// `async` the one that is waited for (P-132). Values go in with an [`Expression`]. One that the server cannot read
    /// fails the run.
    pub fn when(mut self, expression: impl Into<Expression>) -> Self {
        let condition = expression.into().write(Purpose::Any);
        self.conditions.push(condition.map_err(|flaw| format!("its condition {flaw}")));
        self
    }

    fn describe(&self) -> Result<Work, String> {
        let timeout = limits::duration("timeout", self.timeout)?;
        let conditions: Vec<_> = self.conditions.iter().cloned().collect::<Result<_, _>>()?;
        let mut opts = Map::from_iter([
            ("event".to_owned(), Value::from(E::NAME)),
            ("timeout".to_owned(), Value::String(timeout)),
        ]);
        if let Some(expression) = expression::all(&conditions)? {
            opts.insert("if".to_owned(), Value::String(expression));
        }
        Ok(Work::Ask { op: "WaitForEvent", opts })
    }
}

impl<E: EventData> Future for WaitForEvent<'_, E> {
    type Output = Result<Option<Event<E>>, StepError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let memo = ready!(self.slot.poll_memo(cx, || self.describe()));
        let (call, step) = (self.slot.call(), &self.slot.step().id);
        call.or_fail(received(step, memo, call.hooks))
    }
}

/// The event, or why it does not fit. The outer error is that of middleware.
fn received<E: EventData>(
    step: &str,
    memo: &RawValue,
    hooks: Hooks<'_>,
) -> Result<Result<Option<Event<E>>, StepError>> {
    if memo.get() == "null" {
        return Ok(Ok(None));
    }
    let unexpected = |reason: String| {
        let text = format!("the event `{}` has come and does not fit: {reason}", E::NAME);
        StepError::new(step, "UnexpectedEvent", text)
    };
    // As it was sent, without a wrapper (P-106): what it holds is never taken for one.
    let event = match RawEvent::parse(memo, Some(E::NAME)) {
        Ok(event) => event.seen_by(hooks)?,
        Err(reason) => return Ok(Err(unexpected(reason))),
    };
    let data =
        event_data::<E>(event.data.as_deref()).map_err(|mismatch| unexpected(mismatch.to_string()));
    Ok(data.map(|data| Some(event.with(data))))
}
