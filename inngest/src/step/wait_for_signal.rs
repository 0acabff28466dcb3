use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::{Step, limits};
use crate::engine::{StepSlot, Unreadable, Work, decode_run};
use crate::json::{Mismatch, decode};
use crate::middleware::{Hooks, PayloadKind};
use crate::{Result, StepError};

impl<'a> Step<'a> {
    /// Waits for a signal, which another run or program sends by its name with
    /// [`send_signal`](crate::Client::send_signal). `T` is what it carries; `None` says that none came in time.
    ///
    /// Only one run can wait for a name at a time. A second one fails, unless it says
    /// [`replacing`](WaitForSignal::replacing). Data that does not fit `T` is an error with the name
    /// `UnexpectedSignal`.
    pub fn wait_for_signal<T: DeserializeOwned>(
        self,
        id: &str,
        signal: impl Into<String>,
    ) -> WaitForSignal<'a, T> {
        WaitForSignal {
            slot: self.make(id),
            signal: signal.into(),
            timeout: limits::YEAR,
            conflict: "fail",
            data: PhantomData,
        }
    }
}

/// A wait for a signal: [`Step::wait_for_signal`].
#[must_use = "a step that is not awaited does not exist"]
pub struct WaitForSignal<'a, T> {
    slot: StepSlot<'a>,
    signal: String,
    timeout: Duration,
    conflict: &'static str,
    data: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> WaitForSignal<'_, T> {
    /// How long to wait, at most 366 days; 365 days where nothing is said.
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Takes the name over from a run that waits for it.
    pub fn replacing(self) -> Self {
        Self { conflict: "replace", ..self }
    }

    fn describe(&self) -> Result<Work, String> {
        if self.signal.is_empty() {
            return Err("the name of its signal is empty".to_owned());
        }
        let timeout = limits::duration("timeout", self.timeout)?;
        let opts = Map::from_iter([
            ("signal".to_owned(), Value::from(self.signal.as_str())),
            ("timeout".to_owned(), Value::String(timeout)),
            ("conflict".to_owned(), Value::from(self.conflict)),
        ]);
        Ok(Work::Ask { op: "WaitForSignal", opts })
    }
}

impl<T: DeserializeOwned> Future for WaitForSignal<'_, T> {
    type Output = Result<Option<T>, StepError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let memo = ready!(self.slot.poll_memo(cx, || self.describe()));
        let (call, step) = (self.slot.call(), &self.slot.step().id);
        call.or_fail(received(step, &self.signal, memo, call.hooks))
    }
}

/// `{"data":{"signal":..,"data":..}}` (P-108).
#[derive(Deserialize)]
struct Received {
    #[serde(default)]
    data: Option<Box<RawValue>>,
}

/// The signal's data, or why it does not fit. The outer error is that of middleware.
fn received<T: DeserializeOwned>(
    step: &str,
    signal: &str,
    memo: &RawValue,
    hooks: Hooks<'_>,
) -> Result<Result<Option<T>, StepError>> {
    let unexpected = |mismatch: Mismatch| {
        let text = format!("the signal `{signal}` has come and does not fit: {mismatch}");
        StepError::new(step, "UnexpectedSignal", text)
    };
    // The layer around the data is the server's.
    let received: Option<Received> = match decode_run(step, memo, Hooks::NONE) {
        Ok(Ok(received)) => received,
        Ok(Err(failed)) => return Ok(Err(failed)),
        Err(Unreadable::Mismatch(mismatch)) => return Ok(Err(unexpected(mismatch))),
        Err(Unreadable::Refused(error)) => return Err(error),
    };
    let Some(received) = received else { return Ok(Ok(None)) };
    let data = received.data.as_deref().unwrap_or(RawValue::NULL);
    let changed = hooks.incoming(PayloadKind::Signal { name: signal }, data)?;
    Ok(decode(changed.as_deref().unwrap_or(data)).map(Some).map_err(unexpected))
}
