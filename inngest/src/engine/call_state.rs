//! What the steps of one call share with the driver that polls their function.

use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, MutexGuard, PoisonError};

use std::task::Poll;

use super::memo::Memo;
use super::own_failures::OwnFailures;
use super::policy::RetryPolicy;
use super::slots::{Phase, Slot, Slots, Work};
use super::step_id::StepId;
use crate::clock::Clock;
use crate::middleware::Hooks;
use crate::{Client, Error, Run};

/// One call of one run. Steps borrow it, so they cannot outlive the call.
pub(crate) struct CallState<'b> {
    pub(crate) app_id: &'b str,
    /// The function's own id, without that of the app.
    pub(super) function_id: &'b str,
    pub(crate) run: Run<'b>,
    pub(crate) memo: Memo<'b>,
    pub(crate) client: &'b Client,
    pub(crate) hooks: Hooks<'b>,
    pub(super) own_failures: &'b OwnFailures,
    /// The function is being polled: what is dropped now, it drops itself.
    pub(super) polling: AtomicBool,
    slots: Mutex<Slots>,
}

impl<'b> CallState<'b> {
    pub(crate) fn new(
        app_id: &'b str,
        function_id: &'b str,
        run: Run<'b>,
        memo: Memo<'b>,
        client: &'b Client,
        hooks: Hooks<'b>,
        own_failures: &'b OwnFailures,
    ) -> Self {
        Self {
            app_id,
            function_id,
            run,
            memo,
            client,
            hooks,
            own_failures,
            polling: AtomicBool::new(false),
            slots: Mutex::default(),
        }
    }

    pub(crate) fn clock(&self) -> &'b Clock {
        self.client.clock()
    }

    pub(super) fn slots(&self) -> MutexGuard<'_, Slots> {
        // A panic of user code never happens under this lock; a poisoned one is as good as new.
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Numbers a step when it is made, so that repeated ids follow the program's order, not the polling order.
    /// Returns the step and its place among those of the call.
    pub(super) fn enlist(&self, id: &str, race: bool) -> (StepId, usize) {
        let mut slots = self.slots();
        let index = slots.all.len();
        let (step, before) = slots.ids.allocate(id, index);
        slots.ordered_after(&before);
        let made = slots.order.now();
        slots.all.push(Slot {
            step: step.clone(),
            work: Work::RUN,
            policy: RetryPolicy::default(),
            race,
            phase: Phase::Created,
            made,
            polled: 0,
            running: None,
            fresh: None,
            waker: None,
        });
        (step, index)
    }

    /// What there is to give to the function; or it waits for the end of the call, where an error is no error of the step.
    pub(crate) fn or_fail<T>(&self, result: Result<T, Error>) -> Poll<T> {
        match result {
            Ok(value) => Poll::Ready(value),
            Err(error) => {
                self.fail(error);
                Poll::Pending
            }
        }
    }

    /// Ends the call with this error, which the function cannot catch.
    pub(crate) fn fail(&self, error: Error) {
        self.slots().failure.get_or_insert(error);
    }
}
