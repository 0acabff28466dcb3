use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

use super::Step;
use super::run::run_once;
use crate::engine::{StepSlot, Work};
use crate::json::{self, Unsavable, decode};
use crate::middleware::{Hooks, PayloadKind};
use crate::{Error, Result, StepError};

impl<'a> Step<'a> {
    /// Runs `code` once with `input`, as [`run`](Self::run) does, and shows the input to the server. There a person can see
    /// it, change it, and have the run go on from this step with what they wrote (P-154): `code` is given that then.
    ///
    /// ```
    /// # #[derive(serde::Serialize, serde::Deserialize)] struct Mail { to: String }
    /// # async fn f(step: inngest::Step<'_>) -> inngest::Result<()> {
    /// let mail = Mail { to: "a@b.example".into() };
    /// step.run_with("send", mail, async |mail: Mail| deliver(&mail.to).await).await?;
    /// # Ok(()) }
    /// # async fn deliver(_: &str) -> inngest::Result<()> { Ok(()) }
    /// ```
    ///
    /// An input that cannot be sent, such as over 4 MiB, is an error of the step with the name `UnsavableData`. One that was
    /// edited and is no `I` is a final error of the step with the name `UnexpectedInput`.
    pub fn run_with<I, T, F>(
        self,
        id: &str,
        input: I,
        code: F,
    ) -> impl Future<Output = Result<T, StepError>> + use<'a, I, T, F>
    where
        I: Serialize + DeserializeOwned,
        T: Serialize + DeserializeOwned,
        F: AsyncFnOnce(I) -> Result<T>,
    {
        let (slot, policy) = (self.make(id), self.policy);
        async move {
            let (step, hooks) = (slot.step().id.clone(), slot.call().hooks);
            let (shown, input) = match slot.edited_input().as_deref() {
                Some(edited) => (serde_json::to_value(edited).ok(), read(&step, edited, hooks)),
                None if slot.is_saved() => (None, Ok(input)),
                None => (Some(shown(&slot, &input).await?), Ok(input)),
            };
            let work = Work::Run { label: Work::STEP_RUN, input: shown.map(Box::new) };
            run_once(slot, work, policy, async move {
                let output = Box::pin(code(input?)).await?;
                json::step_result(&output).map_err(|reason| reason.of_result(&step))
            })
            .await
        }
    }
}

fn read<I: DeserializeOwned>(step: &str, edited: &[&RawValue], hooks: Hooks<'_>) -> Result<I> {
    let unexpected = |reason: &dyn fmt::Display| {
        let text = format!("the edited input of step `{step}` does not fit: {reason}");
        Error::from(text).no_retry().named("UnexpectedInput")
    };
    let &[input] = edited else {
        return Err(unexpected(&format_args!(
            "it has {} values, and the step takes one",
            edited.len()
        )));
    };
    let changed = hooks.incoming(PayloadKind::StepInput { id: step }, input)?;
    decode(changed.as_deref().unwrap_or(input)).map_err(|mismatch| unexpected(&mismatch))
}

/// The list of arguments that the server is told, as middleware lets it leave.
async fn shown(slot: &StepSlot<'_>, input: &impl Serialize) -> Result<Value, StepError> {
    let (call, step) = (slot.call(), &slot.step().id);
    let of_step = |reason: Unsavable| reason.of_payload(step, "input");
    let input = json::payload_json(input).map_err(of_step)?;
    let changed = match call.hooks.outgoing(PayloadKind::StepInput { id: step }, &input) {
        Ok(changed) => changed,
        Err(error) => {
            call.fail(error);
            std::future::pending().await
        }
    };
    // The server counts the list.
    json::payload(&[changed.unwrap_or(input)]).map_err(of_step)
}
