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
use crate::StepError;
use crate::engine::{StepSlot, Work, decode_run};
use crate::json::decode;

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
        Poll::Ready(received(&self.slot.step().id, &self.signal, memo))
    }
}

/// `{"data":{"signal":..,"data":..}}` (P-108).
#[derive(Deserialize)]
struct Received {
    #[serde(default)]
    data: Option<Box<RawValue>>,
}

fn received<T: DeserializeOwned>(
    step: &str,
    signal: &str,
    memo: &RawValue,
) -> Result<Option<T>, StepError> {
    let unexpected = |reason: String| {
        let text = format!("the signal `{signal}` has come and does not fit: {reason}");
        StepError::new(step, "UnexpectedSignal", text)
    };
    let received: Option<Received> =
        decode_run(step, memo).map_err(|mismatch| unexpected(mismatch.to_string()))??;
    let Some(received) = received else { return Ok(None) };
    decode(received.data.as_deref().unwrap_or(RawValue::NULL))
        .map(Some)
        .map_err(|mismatch| unexpected(mismatch.to_string()))
}
