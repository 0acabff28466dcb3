//! Functions that call functions (P-134).

use std::sync::Arc;

use serde_json::{Map, Value, json};
use ulid::Ulid;

use super::State;
use crate::event::Event;
use crate::ids::Env;
use crate::observe::Observation;
use crate::ops::{Invoke, Step};
use crate::run::Parent;
use crate::run::end::End;

const INVOKED: &str = "inngest/function.invoked";

impl State {
    /// Starts the invoked function, without waiting for a batch or for the end of a series. The step that waits for it has
    /// begun to.
    pub(crate) fn invoke(
        &mut self,
        run: Ulid,
        step: &Step,
        invoke: &Invoke,
        env: &Env,
    ) -> Vec<Observation> {
        let Some(function) = self.registry.function(&invoke.function_id).cloned() else {
            let message = format!("could not find function with ID: {}", invoke.function_id);
            let memo = json!({"error": {"message": message, "name": "Error"}});
            self.resume(run, &step.hash, memo, env);
            return Vec::new();
        };
        let event = Arc::new(invoking_event(run, step, invoke, env));
        self.events.insert(event.internal_id, Arc::clone(&event));
        let mut seen = vec![Observation::EventReceived {
            id: event.internal_id.to_string(),
            name: event.name.clone(),
            data: event.data.clone(),
        }];
        if self.is_limited(&function, &event, env.now()) {
            let message = "invoked function is rate limited";
            let memo = json!({"error": {"message": message, "name": "Error"}});
            self.resume(run, &step.hash, memo, env);
            return seen;
        }
        let parent = Parent { run, step: step.hash.clone() };
        let admitted = self.admit(function, vec![event], Some(parent), env);
        if matches!(admitted.as_slice(), [Observation::RunSkipped { .. }]) {
            let end = End::violation(format!(
                "step {:?} invokes {}, which runs once at a time and skips this one; on the real \
                 server the invoking run would hang (P-086)",
                step.name, invoke.function_id
            ));
            seen.extend(self.end(run, end, env));
        }
        seen.extend(admitted);
        seen
    }
}

/// The payload under the server's own name, with what ties it to the step that waits (P-113).
fn invoking_event(run: Ulid, step: &Step, invoke: &Invoke, env: &Env) -> Event {
    let mut data = match invoke.payload.get("data") {
        Some(Value::Object(data)) => data.clone(),
        _ => Map::new(),
    };
    let origin = json!({
        "correlation_id": format!("{run}.{}", step.hash),
        "fn_id": invoke.function_id,
        "name": step.name,
    });
    data.insert("_inngest".to_owned(), origin);
    let internal_id = env.ulid();
    Event {
        internal_id,
        id: internal_id.to_string(),
        name: INVOKED.to_owned(),
        data: Value::Object(data),
        user: invoke.payload.get("user").filter(|user| user.is_object()).cloned(),
        ts: env.now(),
        v: invoke.payload.get("v").and_then(Value::as_str).map(str::to_owned),
        received_at: env.now(),
    }
}
