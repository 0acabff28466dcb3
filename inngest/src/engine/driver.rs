//! Polls a function until it is quiet, then says what to report to the server.
//!
//! Steps are futures that stay pending until their result is saved on the server, so a function stops where it
//! needs one, and ordinary combinators work over steps. The driver only ever looks at a function that cannot go
//! on by itself.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use serde_json::value::RawValue;
use tokio::time::{Instant, Sleep};

use super::call_state::CallState;
use super::inside_step::panic_message;
use super::slots::{Executed, Fault, Found, Phase};
use super::steady::Steadiness;
use super::step_id::StepId;
use crate::Error;
use crate::replay::Replaying;

/// A function of any type, started for one call.
pub(crate) type FunctionFuture<'a> =
    Pin<Box<dyn Future<Output = Result<Box<RawValue>, Error>> + Send + 'a>>;

/// What the server asked for in this call.
#[derive(Debug, Clone, Default)]
pub(crate) struct Dispatch {
    /// The one step to run; `None` to discover what comes next.
    pub(crate) target: Option<String>,
    /// Report a step instead of running it, even when it is the only one.
    pub(crate) plan_only: bool,
}

/// What a call came to.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The function returned.
    Finished(Result<Box<RawValue>, Error>),
    /// The function's own code panicked, outside any step.
    Panicked(String),
    /// One step was run.
    Executed(Executed),
    /// The function waits for these steps.
    Found(Vec<Found>),
    /// The step asked for does not exist in this program.
    TargetMissing(Vec<StepId>),
    /// Steps have run, one after the other, and could not be saved within the call. The last one may have
    /// failed.
    Unsaved(Vec<Executed>),
    /// The server has given this call's work to another one.
    Stale,
}

/// How long a targeted call waits for its step while the function is idle on something that is no step. The
/// TypeScript SDK waits as long.
const IDLE_LIMIT: Duration = Duration::from_secs(10);
/// The same when other new steps were found: the function has most likely changed.
const IDLE_LIMIT_AFTER_OTHERS: Duration = Duration::from_secs(1);

/// The most steps that the server takes, in one answer and in one run (T53).
const MAX_STEPS: usize = 1000;

/// Drives `function` until there is something to answer.
pub(super) async fn next_outcome<'a>(
    call: &'a CallState<'a>,
    dispatch: &Dispatch,
    function: &mut FunctionFuture<'a>,
) -> Outcome {
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let mut idle: Option<Pin<Box<Sleep>>> = None;
    let saved = call.memo.done();

    std::future::poll_fn(move |cx| {
        woken.drive(cx.waker());
        loop {
            woken.flag.store(false, Ordering::SeqCst);
            // What lies before the last saved result has run in an earlier call, and so has everything on the way to
            // a step that was asked for.
            let replaying = dispatch.target.is_some() || call.slots().resolved < saved;
            let replaying = Replaying::set(replaying);
            call.polling.store(true, Ordering::Relaxed);
            let polled = catch_unwind(AssertUnwindSafe(|| {
                function.as_mut().poll(&mut Context::from_waker(&waker))
            }));
            call.polling.store(false, Ordering::Relaxed);
            drop(replaying);
            if let Some(outcome) = reported(call) {
                return Poll::Ready(outcome);
            }
            match polled {
                Err(panic) => return Poll::Ready(Outcome::Panicked(panic_message(&*panic))),
                Ok(Poll::Ready(result)) => return Poll::Ready(Outcome::Finished(result)),
                Ok(Poll::Pending) => {}
            }
            if woken.flag.load(Ordering::SeqCst) {
                // Not quiet yet. Others get their turn before the next poll.
                idle = None;
                return woken.park();
            }
            match next_move(call, dispatch) {
                Move::Go => idle = None,
                Move::Answer(outcome) => return Poll::Ready(outcome),
                Move::Wait => return woken.park(),
                Move::WaitAtMost(limit) => {
                    let idle = idle.get_or_insert_with(|| {
                        Box::pin(tokio::time::sleep_until(Instant::now() + limit))
                    });
                    if idle.as_mut().poll(cx).is_pending() {
                        return woken.park();
                    }
                    let found = found(call).into_iter().map(|found| found.step).collect();
                    return Poll::Ready(Outcome::TargetMissing(found));
                }
            }
        }
    })
    .await
}

/// What user code has left for us during a poll. It goes before everything else: a step that has run must be
/// reported, whatever the function does afterwards.
fn reported(call: &CallState<'_>) -> Option<Outcome> {
    let mut slots = call.slots();
    let failed = slots.failure.take().map(|error| Outcome::Finished(Err(error)));
    failed.or_else(|| slots.executed.take().map(Outcome::Executed))
}

enum Move {
    /// Something was resolved or started: poll again.
    Go,
    Answer(Outcome),
    /// The function waits for something that is no step.
    Wait,
    WaitAtMost(Duration),
}

/// Decides about a function that is quiet.
fn next_move(call: &CallState<'_>, dispatch: &Dispatch) -> Move {
    let mut slots = call.slots();
    if slots.running {
        return Move::Wait;
    }
    match slots.steadiness() {
        Steadiness::Steady => {}
        Steadiness::Unknown => return Move::Go,
        Steadiness::Unsteady(slot) => {
            let id = slots.all.get(slot).map(|slot| slot.step.id.to_string()).unwrap_or_default();
            return Move::Answer(Outcome::Finished(Err(Fault::Unsteady { id }.into_error())));
        }
    }
    if let Some(target) = &dispatch.target {
        let target =
            slots.found.iter().copied().find(|&found| {
                slots.all.get(found).is_some_and(|slot| *slot.step.hash == **target)
            });
        if let Some(target) = target {
            drop(slots);
            return start(call, target);
        }
    }
    // One at a time and in the order in which they were saved, so that a race has the same winner in every
    // call (P-151).
    if let Some((_, next)) = slots.waiting.pop_first() {
        slots.resolved += 1;
        let waker = slots.set_phase(next, Phase::Resolved);
        drop(slots);
        if let Some(waker) = waker {
            waker.wake();
        }
        return Move::Go;
    }
    match (&dispatch.target, slots.found.as_slice()) {
        (Some(_), []) => Move::WaitAtMost(IDLE_LIMIT),
        (Some(_), _) => Move::WaitAtMost(IDLE_LIMIT_AFTER_OTHERS),
        (None, []) => Move::Wait,
        (None, &[only]) if !dispatch.plan_only && slots.runs_unasked(only) => {
            drop(slots);
            start(call, only)
        }
        (None, found_now) => {
            let (found_now, finished) = (found_now.len(), call.memo.finished());
            drop(slots);
            Move::Answer(if found_now + finished > MAX_STEPS {
                let fault = Fault::TooManySteps { found: found_now, finished };
                Outcome::Finished(Err(fault.into_error()))
            } else {
                Outcome::Found(found(call))
            })
        }
    }
}

fn start(call: &CallState<'_>, slot: usize) -> Move {
    let waker = {
        let mut slots = call.slots();
        slots.running = true;
        slots.found.retain(|&found| found != slot);
        slots.set_phase(slot, Phase::Running)
    };
    if let Some(waker) = waker {
        waker.wake();
    }
    Move::Go
}

fn found(call: &CallState<'_>) -> Vec<Found> {
    let slots = call.slots();
    let found = slots.found.iter().filter_map(|&found| slots.all.get(found));
    found
        .map(|slot| Found {
            step: slot.step.clone(),
            work: slot.work.clone(),
            race: slots.races(slot),
        })
        .collect()
}

/// Records whether the function was woken, and wakes the task that drives it when that task sleeps. While it drives, it
/// looks at the flag by itself: handing out a thousand results must not wake it a thousand times.
#[derive(Default)]
struct Woken {
    flag: AtomicBool,
    driving: AtomicBool,
    task: Mutex<Option<Waker>>,
}

impl Woken {
    /// The task is awake, from here to [`park`](Self::park).
    fn drive(&self, waker: &Waker) {
        self.driving.store(true, Ordering::SeqCst);
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if !task.as_ref().is_some_and(|task| task.will_wake(waker)) {
            *task = Some(waker.clone());
        }
    }

    /// The task goes to sleep, unless the function was woken meanwhile.
    fn park(&self) -> Poll<Outcome> {
        self.driving.store(false, Ordering::SeqCst);
        if self.flag.load(Ordering::SeqCst) {
            self.wake_task();
        }
        Poll::Pending
    }

    fn wake_task(&self) {
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(task) = task {
            task.wake();
        }
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // In this order: either `park` sees the flag, or we see that the task sleeps.
        self.flag.store(true, Ordering::SeqCst);
        if !self.driving.load(Ordering::SeqCst) {
            self.wake_task();
        }
    }
}
