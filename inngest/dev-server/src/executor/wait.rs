//! Steps that wait for something from outside the run.

use std::time::Duration;

use serde_json::{Value, json};

use super::turn::Turn;
use crate::duration::millis;
use crate::expression::Expression;
use crate::observe::Observation;
use crate::ops::{Invoke, Step, WaitForEvent, WaitForSignal};
use crate::run::end::End;
use crate::run::wait::{Awaited, Wait};

/// How long an invocation may take when it names no timeout (P-134).
const INVOKE_TIMEOUT: Duration = Duration::from_secs(365 * 86_400);

impl Turn<'_> {
    /// P-132. Without an event in time the result is `null`.
    pub(super) fn wait_for_event(&mut self, step: &Step, wait: &WaitForEvent) -> Result<(), End> {
        let timeout = self.duration(step, "wait", &wait.timeout)?;
        let condition = wait.condition.as_deref().filter(|text| !text.is_empty());
        let condition = condition.map(Expression::parse).transpose();
        let condition = condition.map_err(|error| {
            let message = "Wait for event If expression failed to compile";
            End::named("InvalidExpression", message, Some(&error.to_string()))
        })?;
        if condition
            .as_ref()
            .is_some_and(|condition| condition.breaks(&self.run.event().for_call()))
        {
            return Err(End::violation(format!(
                "wait {:?} has a condition that cannot be applied to the event of the run; on the real server the run would \
                 hang (P-003)",
                step.name
            )));
        }
        let awaited = Awaited::Event { name: wait.event.clone(), condition };
        self.wait(step, awaited, timeout, Value::Null);
        Ok(())
    }

    /// P-133. Two waits for one signal are a conflict, which is found once the turn is over.
    pub(super) fn wait_for_signal(&mut self, step: &Step, wait: &WaitForSignal) -> Result<(), End> {
        let timeout = self.duration(step, "wait", &wait.timeout)?;
        let awaited = Awaited::Signal {
            name: wait.signal.clone(),
            replaces: wait.conflict.as_deref() == Some("replace"),
        };
        self.wait(step, awaited, timeout, Value::Null);
        Ok(())
    }

    /// P-134. The invoked run itself is started once this turn is over.
    pub(super) fn invoke(&mut self, step: &Step, invoke: &Invoke) -> Result<(), End> {
        let timeout = match &invoke.timeout {
            Some(timeout) => self.duration(step, "invocation", timeout)?,
            None => INVOKE_TIMEOUT,
        };
        let message = "Timed out waiting for invoked function to complete";
        let name = "InngestInvokeTimeoutError";
        let late = json!({"error": {
            "error": format!("{name}: {message}"), "message": message, "name": name,
        }});
        if self.wait(step, Awaited::Invocation, timeout, late) {
            self.outcome.invocations.push((step.clone(), invoke.clone()));
        }
        Ok(())
    }

    fn wait(&mut self, step: &Step, awaited: Awaited, timeout: Duration, late: Value) -> bool {
        if !self.schedule_once(step) {
            return false;
        }
        let ((run_id, function_id), name) = (self.run.ids(), step.name.clone());
        self.outcome.seen.push(Observation::WaitStarted { run_id, function_id, name, timeout });
        self.outcome.waits.push(Wait {
            run: self.run.id,
            step: step.clone(),
            expires_at: self.env.now().saturating_add(millis(timeout)),
            late: late.into(),
            awaited,
        });
        true
    }
}
