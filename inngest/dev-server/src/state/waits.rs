//! What runs wait for: events, signals, and the runs that they invoked.

use std::sync::Arc;

use serde_json::{Value, json};
use ulid::Ulid;

use super::State;
use crate::event::Event;
use crate::expression::Expression;
use crate::ids::Env;
use crate::queue::{Item, Kind, Timer};
use crate::run::end::End;
use crate::run::wait::{Awaited, Wait};

impl State {
    /// Lets a run wait. `Some` is how the run ends if it cannot: only one run waits for a signal (P-133).
    pub(crate) fn begin_wait(&mut self, wait: Wait) -> Option<End> {
        if let Awaited::Signal { name, replaces } = &wait.awaited {
            let rival = self.waits.values_mut().find(|other| other.is_for_signal(name));
            match rival {
                Some(_) if !replaces => {
                    let message = "Signal conflict; signal wait already exists for another run";
                    return Some(End::named("Error", message, None));
                }
                // The other run goes on when its time is up.
                Some(rival) => rival.awaited = Awaited::Nothing,
                None => {}
            }
        }
        if let Some(run) = self.runs.get_mut(&wait.run) {
            run.outstanding += 1;
        }
        let key = (wait.run, wait.step.hash.clone());
        let timer = Timer::WaitExpires { run: wait.run, hash: wait.step.hash.clone() };
        self.queue.push_timer(wait.expires_at, timer);
        self.waits.insert(key, wait);
        None
    }

    /// Resumes the runs that wait for this event, which is the result of their steps (P-106).
    pub(super) fn resume_waits(&mut self, event: &Event, env: &Env) {
        let stored = event.for_call();
        let meets = |wait: &Wait, condition: &Expression| {
            let run = self.runs.get(&wait.run);
            run.is_some_and(|run| condition.matches(&run.event().for_call(), Some(&stored)))
        };
        let is_over = |wait: &&Wait| match &wait.awaited {
            Awaited::Event { name, condition } if *name == event.name => {
                condition.as_ref().is_none_or(|condition| meets(wait, condition))
            }
            _ => false,
        };
        let ready = self.waits.values().filter(is_over);
        let ready: Vec<_> = ready.map(|wait| (wait.run, wait.step.hash.clone())).collect();
        for (run, hash) in ready {
            self.resume(run, &hash, stored.clone(), env);
        }
    }

    /// Resumes the run that waits for a signal, and returns it (P-108, P-180).
    pub(crate) fn signal(&mut self, signal: &str, data: &Value, env: &Env) -> Option<Ulid> {
        let wait = self.waits.values().find(|wait| wait.is_for_signal(signal))?;
        let (run, hash) = (wait.run, wait.step.hash.clone());
        self.resume(run, &hash, json!({"data": {"data": data, "signal": signal}}), env);
        Some(run)
    }

    /// Ends a wait with a result.
    pub(super) fn resume(&mut self, run: Ulid, hash: &str, memo: Value, env: &Env) {
        if let Some(wait) = self.waits.remove(&(run, hash.to_owned())) {
            // The run's count of outstanding work stays: the item takes the place of the wait.
            let kind = Kind::Resume(wait.step, Arc::new(memo));
            self.queue.push(Item::first(run, kind, None, env.now(), env.job()));
        }
    }

    /// Ends a wait whose time is up, unless it was over before.
    pub(super) fn expire(&mut self, run: Ulid, hash: &str, env: &Env) {
        let late = self.waits.get(&(run, hash.to_owned())).map(|wait| Value::clone(&wait.late));
        if let Some(late) = late {
            self.resume(run, hash, late, env);
        }
    }
}
