//! From a matching event to a run, under flow control.

use std::sync::Arc;

use super::{Held, State};
use crate::duration::millis;
use crate::event::Event;
use crate::expression::Expression;
use crate::ids::Env;
use crate::observe::Observation;
use crate::queue::{Group, Timer};
use crate::registry::{Function, SingletonMode};
use crate::run::end::End;
use crate::run::{Parent, Status};

/// For how long an event id starts no second run of a function (P-178).
const EVENT_ID_WINDOW_MS: i64 = 24 * 60 * 60 * 1000;

impl State {
    /// An event matches a function.
    pub(super) fn trigger(&mut self, function: Arc<Function>, event: &Arc<Event>, env: &Env) {
        let now = env.now();
        let key = (function.id.clone(), event.id.clone());
        let started = self.started.entry(key).or_insert(i64::MIN);
        if started.saturating_add(EVENT_ID_WINDOW_MS) > now {
            return self.skip(&function, event);
        }
        *started = now;
        if function.settings.batch.is_some() {
            self.hold_for_batch(&function, event, env);
        } else if self.is_limited(&function, event, now) {
            self.skip(&function, event);
        } else if function.settings.debounce.is_some() {
            self.hold_for_series(&function, event, now);
        } else {
            self.admit(function, vec![Arc::clone(event)], None, env);
        }
    }

    fn skip(&mut self, function: &Function, event: &Event) {
        let (function_id, event_id) = (function.id.clone(), event.internal_id.to_string());
        self.seen.push(Observation::RunSkipped { function_id, event_id });
    }

    /// Rate limits drop events that come too fast (P-082).
    pub(super) fn is_limited(&mut self, function: &Function, event: &Event, now_ms: i64) -> bool {
        function
            .settings
            .rate_limit
            .as_ref()
            .is_some_and(|rate| self.pace.is_limited(&function.id, rate, &event.for_call(), now_ms))
    }

    /// Starts a run, now or when the throttle lets it. `false` when another one goes on and the function runs once at a
    /// time (P-086).
    pub(super) fn admit(
        &mut self,
        function: Arc<Function>,
        events: Vec<Arc<Event>>,
        parent: Option<Parent>,
        env: &Env,
    ) -> bool {
        let Some(first) = events.first() else { return false };
        let event = first.for_call();
        if let Some(singleton) = &function.settings.singleton {
            let key = |event: &_| singleton.key.as_ref().map(|key| key.key(event));
            let rivals = self.runs.values().filter(|run| {
                run.status == Status::Running
                    && run.function.id == function.id
                    && key(&run.event().for_call()) == key(&event)
            });
            let rivals: Vec<_> = rivals.map(|run| run.id).collect();
            if !rivals.is_empty() && singleton.mode == SingletonMode::Skip {
                self.skip(&function, first);
                return false;
            }
            for rival in rivals {
                self.end(rival, End::Cancelled, env);
            }
        }
        let now = env.now();
        let due = match &function.settings.throttle {
            Some(rate) => self.pace.reserve(&function.id, rate, &event, now),
            None => now,
        };
        self.start(function, events, parent, due, env);
        true
    }

    /// P-081. A full batch starts at once, another one when its time is up.
    fn hold_for_batch(&mut self, function: &Arc<Function>, event: &Arc<Event>, env: &Env) {
        let Some(batch) = &function.settings.batch else { return };
        let shown = event.for_call();
        if batch.condition.as_ref().is_some_and(|condition| !condition.matches(&shown, None)) {
            self.admit(Arc::clone(function), vec![Arc::clone(event)], None, env);
            return;
        }
        let group = (function.id.clone(), key(batch.key.as_ref(), event));
        let (held, _) = self.hold(&group, function, env.now());
        held.events.push(Arc::clone(event));
        let number = held.number;
        if held.events.len() >= batch.size {
            self.release(&group, number, env);
        } else if held.events.len() == 1 {
            let due = env.now().saturating_add(millis(batch.timeout));
            self.queue.push_timer(due, Timer::Release { group, number });
        }
    }

    /// P-082. Every event of a series replaces the one before and delays the run.
    fn hold_for_series(&mut self, function: &Arc<Function>, event: &Arc<Event>, now: i64) {
        let Some(debounce) = &function.settings.debounce else { return };
        let group = (function.id.clone(), key(debounce.key.as_ref(), event));
        let (held, number) = self.hold(&group, function, now);
        held.number = number;
        held.events = vec![Arc::clone(event)];
        let end = |timeout| held.since.saturating_add(millis(timeout));
        let end = debounce.timeout.map_or(i64::MAX, end);
        let due = now.saturating_add(millis(debounce.period)).min(end);
        self.queue.push_timer(due, Timer::Release { group, number });
    }

    /// What is held for a group, and a number that was not used yet.
    fn hold(&mut self, group: &Group, function: &Arc<Function>, now: i64) -> (&mut Held, u64) {
        self.held_count += 1;
        let number = self.held_count;
        let held = self.held.entry(group.clone()).or_insert_with(|| Held {
            number,
            function: Arc::clone(function),
            events: Vec::new(),
            since: now,
        });
        held.function = Arc::clone(function);
        (held, number)
    }

    /// Starts the run of what was held, unless another batch took its place, or the series went on.
    pub(super) fn release(&mut self, group: &Group, number: u64, env: &Env) {
        if self.held.get(group).is_none_or(|held| held.number != number) {
            return;
        }
        let Some(Held { function, events, .. }) = self.held.remove(group) else { return };
        let is_batch = function.settings.batch.is_some();
        let first = events.first().filter(|_| is_batch);
        if first.is_some_and(|event| self.is_limited(&function, event, env.now())) {
            for event in &events {
                self.skip(&function, event);
            }
        } else {
            self.admit(function, events, None, env);
        }
    }
}

fn key(key: Option<&Expression>, event: &Event) -> String {
    key.map(|key| key.key(&event.for_call())).unwrap_or_default()
}
