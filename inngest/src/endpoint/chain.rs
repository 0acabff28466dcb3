use std::sync::Arc;

use bytes::Bytes;

use crate::Error;
use crate::engine::Outcome;
use crate::middleware::{CallInfo, Input, Middleware, Output};

/// The middleware of one call: the client's, then the function's.
#[derive(Clone, Copy)]
pub(super) struct Chain<'a> {
    pub(super) client: &'a [Arc<dyn Middleware>],
    pub(super) function: &'a [Arc<dyn Middleware>],
}

impl Chain<'_> {
    pub(super) fn is_empty(&self) -> bool {
        self.client.is_empty() && self.function.is_empty()
    }

    fn all(&self) -> impl Iterator<Item = &dyn Middleware> {
        self.client.iter().chain(self.function).map(|middleware| &**middleware)
    }

    pub(super) fn transform_input(&self, call: &mut CallInfo<'_>, input: &mut Input<'_>) {
        self.all().for_each(|middleware| middleware.transform_input(call, input));
    }

    pub(super) fn before_execution(&self, call: &mut CallInfo<'_>) {
        self.all().for_each(|middleware| middleware.before_execution(call));
    }

    pub(super) fn after_execution(&self, call: &mut CallInfo<'_>) {
        self.all().for_each(|middleware| middleware.after_execution(call));
    }

    pub(super) fn transform_output(&self, call: &mut CallInfo<'_>, outcome: &mut Outcome) {
        if self.is_empty() {
            return;
        }
        if let Outcome::Panicked(message) = outcome {
            *outcome = Outcome::Finished(Err(Error::from(std::mem::take(message))));
        }
        let steps = match outcome {
            Outcome::Finished(result) => {
                return self.transform(call, &mut Output { step: None, result });
            }
            Outcome::Executed(executed) => std::slice::from_mut(executed),
            Outcome::Unsaved(steps) => steps.as_mut_slice(),
            _ => return,
        };
        for executed in steps {
            let mut output = Output { step: Some(&executed.step.id), result: &mut executed.result };
            self.transform(call, &mut output);
        }
    }

    fn transform(&self, call: &mut CallInfo<'_>, output: &mut Output<'_>) {
        self.all().for_each(|middleware| middleware.transform_output(call, output));
    }

    pub(super) fn before_response(
        &self,
        call: &mut CallInfo<'_>,
        response: &mut http::Response<Bytes>,
    ) {
        self.all().for_each(|middleware| middleware.before_response(call, response));
    }
}
