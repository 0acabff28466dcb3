//! Functions that call functions (P-134).

use serde_json::{Map, Value, json};
use ulid::Ulid;

use super::State;
use crate::event::Event;
use crate::ids::Env;
use crate::ops::{Invoke, Step};
use crate::run::Parent;
use crate::run::end::End;

const INVOKED: &str = "inngest/function.invoked";

impl State {
    /// Starts the invoked function, without waiting for a batch or for the end of a series. The invoking step waits already.
    pub(crate) fn invoke(&mut self, run: Ulid, step: &Step, invoke: &Invoke, env: &Env) {
        let failed = |message: &str| json!({"error": {"message": message, "name": "Error"}});
        let Some(function) = self.registry.function(&invoke.function_id).cloned() else {
            let message = format!("could not find function with ID: {}", invoke.function_id);
            return self.resume(run, &step.hash, failed(&message), env);
        };
        let event = self.receive(invoking_event(run, step, invoke, env));
        if self.is_limited(&function, &event, env.now()) {
            return self.resume(run, &step.hash, failed("invoked function is rate limited"), env);
        }
        let parent = Parent { run, step: step.hash.clone() };
        if !self.admit(function, vec![event], Some(parent), env) {
            let end = End::violation(format!(
                "step {:?} invokes {}, which runs once at a time and skips this one; on the real \
                 server the invoking run would hang (P-086)",
                step.name, invoke.function_id
            ));
            self.end(run, end, env);
        }
    }
}

/// The invoking event: the payload, and the step that waits for the result (P-113).
fn invoking_event(run: Ulid, step: &Step, invoke: &Invoke, env: &Env) -> Event {
    let payload = |field: &str| invoke.payload.as_ref()?.get(field);
    let mut data = payload("data").and_then(Value::as_object).cloned().unwrap_or_else(Map::new);
    let origin = json!({
        "correlation_id": format!("{run}.{}", step.hash),
        "fn_id": invoke.function_id,
        "name": step.name,
    });
    data.insert("_inngest".to_owned(), origin);
    Event {
        user: payload("user").filter(|user| user.is_object()).cloned(),
        v: payload("v").and_then(Value::as_str).map(str::to_owned),
        ..Event::internal(INVOKED, data.into(), env.ulid(), env.now())
    }
}
