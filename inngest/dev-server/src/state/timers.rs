//! What becomes due without belonging to the work of one run.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::State;
use crate::event::Event;
use crate::ids::Env;
use crate::observe::Observation;
use crate::queue::Timer;
use crate::registry::{RegisterError, Registered, Schedule, Trigger};
use crate::run::end::End;

const SCHEDULED: &str = "inngest/scheduled.timer";

impl State {
    /// The timer's moment has come.
    pub(crate) fn ring(&mut self, timer: &Timer, env: &Env) -> Vec<Observation> {
        match timer {
            Timer::WaitExpires { run, hash } => {
                self.expire(*run, hash, env);
                Vec::new()
            }
            Timer::Release { group, number } => self.release(group, *number, env),
            Timer::StartTimeout { run } => {
                let begun = self.running(*run).is_none_or(|run| run.begun);
                if begun { Vec::new() } else { self.end(*run, End::Cancelled, env) }
            }
            Timer::FinishTimeout { run } => self.end(*run, End::Cancelled, env),
            Timer::Cron { function, schedule, due } => self.tick(function, schedule, *due, env),
        }
    }

    /// Takes a registration in and sets the clocks of what it schedules.
    pub(crate) fn register(&mut self, body: &[u8], env: &Env) -> Result<Registered, RegisterError> {
        let registered = self.registry.register(body)?;
        for function in &registered.functions {
            for trigger in &function.triggers {
                if let Trigger::Cron(schedule) = trigger {
                    self.schedule(&function.id, schedule, env);
                }
            }
        }
        Ok(registered)
    }

    /// Sets the clock for the next moment of a schedule, unless it is set.
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

    /// Runs a function, unless it was registered anew without this schedule. Moments that were missed, because the
    /// machine slept, are not made up for.
    fn tick(&mut self, function: &str, schedule: &str, due: i64, env: &Env) -> Vec<Observation> {
        self.scheduled.remove(&(function.to_owned(), schedule.to_owned()));
        let Some(function) = self.registry.function(function).cloned() else { return Vec::new() };
        let found = function.triggers.iter().find_map(|trigger| match trigger {
            Trigger::Cron(found) if found.text == schedule => Some(found),
            _ => None,
        });
        let Some(found) = found else { return Vec::new() };
        self.schedule(&function.id, found, env);
        let event = Arc::new(timer_event(schedule, due, env));
        self.events.insert(event.internal_id, Arc::clone(&event));
        self.admit(function, vec![event], None, env)
    }
}

/// P-113: its id is the moment, not a ULID.
fn timer_event(schedule: &str, due: i64, env: &Env) -> Event {
    let at = Timestamp::from_millisecond(due).map(|at| at.to_string()).unwrap_or_default();
    Event {
        internal_id: env.ulid(),
        id: at.clone(),
        name: SCHEDULED.to_owned(),
        data: json!({"cron": schedule, "scheduledAt": at, "fireAt": at}),
        user: Some(Value::Object(serde_json::Map::new())),
        ts: due,
        v: None,
        received_at: env.now(),
    }
}
