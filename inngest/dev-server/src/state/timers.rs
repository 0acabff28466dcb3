//! What becomes due without belonging to the work of one run.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::json;

use super::State;
use crate::event::Event;
use crate::ids::Env;
use crate::observe::Observation;
use crate::queue::Timer;
use crate::registry::{RegisterError, Registered, Schedule, Trigger};
use crate::run::end::End;

const SCHEDULED: &str = "inngest/scheduled.timer";

impl State {
    /// The timer is due.
    pub(crate) fn ring(&mut self, timer: &Timer, env: &Env) {
        match timer {
            Timer::WaitExpires { run, hash } => self.expire(*run, hash, env),
            Timer::Release { group, number } => self.release(group, *number, env),
            Timer::StartTimeout { run } => {
                if self.running(*run).is_some_and(|run| !run.begun) {
                    self.end(*run, End::Cancelled, env);
                }
            }
            Timer::FinishTimeout { run } => self.end(*run, End::Cancelled, env),
            Timer::Cron { function, schedule, due } => self.tick(function, schedule, *due, env),
        }
    }

    /// Takes a registration in and sets timers for its schedules.
    pub(crate) fn register(&mut self, body: &[u8], env: &Env) -> Result<Registered, RegisterError> {
        let registered = self.registry.register(body)?;
        if registered.modified {
            self.seen.push(synced(&registered));
        }
        for function in &registered.functions {
            for trigger in &function.triggers {
                if let Trigger::Cron(schedule) = trigger {
                    self.schedule(&function.id, schedule, env);
                }
            }
        }
        Ok(registered)
    }

    /// Sets the timer for the next time of a schedule, unless it is set.
    fn schedule(&mut self, function: &str, schedule: &Schedule, env: &Env) {
        let key = (function.to_owned(), schedule.text.clone());
        if self.scheduled.contains(&key) {
            return;
        }
        if let Some(due) = schedule.next(env.now()) {
            let (function, text) = key.clone();
            self.scheduled.insert(key);
            self.queue.push_timer(due, Timer::Cron { function, schedule: text, due });
        }
    }

    /// Runs a function, unless it was registered anew without this schedule. Times that were missed, because the machine
    /// slept, are skipped.
    fn tick(&mut self, function: &str, schedule: &str, due: i64, env: &Env) {
        self.scheduled.remove(&(function.to_owned(), schedule.to_owned()));
        let Some(function) = self.registry.function(function).cloned() else { return };
        let found = function.triggers.iter().find_map(|trigger| match trigger {
            Trigger::Cron(found) if found.text == schedule => Some(found),
            _ => None,
        });
        let Some(found) = found else { return };
        self.schedule(&function.id, found, env);
        let event = Arc::new(timer_event(schedule, due, env));
        self.events.insert(event.internal_id, Arc::clone(&event));
        self.admit(function, vec![event], None, env);
    }
}

fn synced(registered: &Registered) -> Observation {
    let functions = || registered.functions.iter();
    let not_enforced: Vec<String> = functions()
        .flat_map(|f| f.not_enforced.iter().map(|setting| format!("{}.{setting}", f.id)))
        .collect();
    if !not_enforced.is_empty() {
        tracing::warn!(?not_enforced, "this dev server does not enforce some settings");
    }
    let functions = functions().map(|function| function.id.clone()).collect();
    Observation::AppSynced { app: registered.app.clone(), functions, not_enforced }
}

/// P-113: its id is the time, not a ULID.
fn timer_event(schedule: &str, due: i64, env: &Env) -> Event {
    let at = Timestamp::from_millisecond(due).map(|at| at.to_string()).unwrap_or_default();
    let data = json!({"cron": schedule, "scheduledAt": at, "fireAt": at});
    Event {
        id: at,
        user: Some(json!({})),
        ts: due,
        ..Event::internal(SCHEDULED, data, env.ulid(), env.now())
    }
}
