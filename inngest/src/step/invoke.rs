use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::run::saved;
use super::{Step, limits};
use crate::StepError;
use crate::engine::{StepSlot, Work};
use crate::json::{self, Unsavable};

impl<'a> Step<'a> {
    /// Runs a function of any app by the full id that the server knows it by, `<app>-<function>`; see
    /// [`invoke`](Self::invoke). `data` must be a JSON object; `()` stands for an empty one. Data that cannot be sent, such as
    /// over 4 MiB, is an error of the step with the name `UnsavableData`; a result that is no `T` is one with the name
    /// `UnexpectedResult`.
    pub fn invoke_id<T: DeserializeOwned>(
        self,
        id: &str,
        function_id: impl Into<String>,
        data: &impl Serialize,
    ) -> Invoke<'a, T> {
        let slot = self.make(id);
        let data = if slot.is_saved() { Ok(Value::Null) } else { json::payload(data) };
        Invoke { slot, function_id: function_id.into(), data, timeout: None, output: PhantomData }
    }
}

/// The server drops an operation whose payload is missing, and never ends one whose data is no object (P-003,
/// P-004).
fn object(data: Value) -> Result<Value, String> {
    match data {
        Value::Object(_) => Ok(data),
        Value::Null => Ok(Value::Object(Map::new())),
        _ => Err("its data is no JSON object".to_owned()),
    }
}

/// A run of another function: [`Step::invoke`].
#[must_use = "a step that is not awaited does not exist"]
pub struct Invoke<'a, T> {
    slot: StepSlot<'a>,
    function_id: String,
    data: Result<Value, Unsavable>,
    timeout: Option<Duration>,
    output: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Invoke<'_, T> {
    /// How long the other run may take, at most 366 days; the server's default is a year.
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout: Some(timeout), ..self }
    }

    fn describe(&self, data: &Value) -> Result<Work, String> {
        if self.function_id.is_empty() {
            return Err("the id of its function is empty".to_owned());
        }
        let data = object(data.clone())?;
        let mut opts = Map::from_iter([
            ("function_id".to_owned(), Value::from(self.function_id.as_str())),
            ("payload".to_owned(), serde_json::json!({ "data": data })),
        ]);
        if let Some(timeout) = self.timeout {
            opts.insert("timeout".to_owned(), limits::duration("timeout", timeout)?.into());
        }
        Ok(Work::Ask { op: Work::INVOKE, opts })
    }
}

impl<T: DeserializeOwned> Future for Invoke<'_, T> {
    type Output = Result<T, StepError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let data = match &self.data {
            Ok(data) => data,
            Err(reason) => {
                return Poll::Ready(Err(reason.of_payload(&self.slot.step().id, "data")));
            }
        };
        let memo = ready!(self.slot.poll_memo(cx, || self.describe(data)));
        saved(&self.slot, memo)
    }
}
