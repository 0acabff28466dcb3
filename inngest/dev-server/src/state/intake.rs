//! From a matching event to a run: what flow control makes of it.

use std::sync::Arc;

use super::State;
use super::held::Held;
use crate::event::Event;
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
    pub(super) fn trigger(
        &mut self,
        function: Arc<Function>,
        event: &Arc<Event>,
        env: &Env,
    ) -> Vec<Observation> {
        let now = env.now();
        let key = (function.id.clone(), event.id.clone());
        let started = self.intake.started.entry(key).or_insert(i64::MIN);
        if started.saturating_add(EVENT_ID_WINDOW_MS) > now {
            return vec![skipped(&function, event)];
        }
        *started = now;
        let event = Arc::clone(event);
        if function.settings.batch.is_some() {
            return self.hold_for_batch(function, event, env);
        }
        if self.is_limited(&function, &event, now) {
            return vec![skipped(&function, &event)];
        }
        if function.settings.debounce.is_some() {
            self.hold_for_series(function, event, now);
            return Vec::new();
        }
        self.admit(function, vec![event], None, env)
    }

    /// Rate limits drop what is too much (P-082).
    pub(super) fn is_limited(&mut self, function: &Function, event: &Event, now_ms: i64) -> bool {
        function.settings.rate_limit.as_ref().is_some_and(|rate| {
            let event = event.for_call();
            self.intake.pace.take("rate", &function.id, rate, &event, now_ms).is_err()
        })
    }

    /// Starts a run, now or when the throttle lets it, unless another one stands in its way (P-086).
    pub(super) fn admit(
        &mut self,
        function: Arc<Function>,
        events: Vec<Arc<Event>>,
        parent: Option<Parent>,
        env: &Env,
    ) -> Vec<Observation> {
        let Some(event) = events.first().map(|event| event.for_call()) else { return Vec::new() };
        let mut seen = Vec::new();
        if let Some(singleton) = &function.settings.singleton {
            let key = |event: &_| singleton.key.as_ref().map(|key| key.key(event));
            let rivals = self.runs.values().filter(|run| {
                run.status == Status::Running
                    && run.function.id == function.id
                    && key(&run.event().for_call()) == key(&event)
            });
            let rivals: Vec<_> = rivals.map(|run| run.id).collect();
            if !rivals.is_empty() && singleton.mode == SingletonMode::Skip {
                return events.first().map(|event| skipped(&function, event)).into_iter().collect();
            }
            for rival in rivals {
                seen.extend(self.end(rival, End::Cancelled, env));
            }
        }
        let now = env.now();
        let due = match &function.settings.throttle {
            Some(rate) => self.intake.pace.reserve("throttle", &function.id, rate, &event, now),
            None => now,
        };
        seen.extend(self.start(function, events, parent, due, env));
        seen
    }

    /// P-081. A full batch starts at once, another one when its time is up.
    fn hold_for_batch(
        &mut self,
        function: Arc<Function>,
        event: Arc<Event>,
        env: &Env,
    ) -> Vec<Observation> {
        let Some(batch) = &function.settings.batch else { return Vec::new() };
        let (shown, now) = (event.for_call(), env.now());
        if batch.condition.as_ref().is_some_and(|condition| !condition.matches(&shown, None)) {
            return self.admit(function, vec![event], None, env);
        }
        let key = batch.key.as_ref().map(|key| key.key(&shown)).unwrap_or_default();
        let group = (function.id.clone(), key);
        let (size, timeout) = (batch.size, batch.timeout);
        let held = self.hold(&group, function, now);
        held.events.push(event);
        let (number, count) = (held.number, held.events.len());
        if count >= size {
            return self.release(&group, number, env);
        }
        if count == 1 {
            let due = now.saturating_add(millis(timeout));
            self.queue.push_timer(due, Timer::Release { group, number });
        }
        Vec::new()
    }

    /// P-082. Every event of a series takes the place of the one before, and puts the run off.
    fn hold_for_series(&mut self, function: Arc<Function>, event: Arc<Event>, now: i64) {
        let Some(debounce) = &function.settings.debounce else { return };
        let key = debounce.key.as_ref().map(|key| key.key(&event.for_call())).unwrap_or_default();
        let group = (function.id.clone(), key);
        let (period, timeout) = (debounce.period, debounce.timeout);
        self.intake.count += 1;
        let number = self.intake.count;
        let held = self.hold(&group, function, now);
        held.number = number;
        held.events = vec![event];
        let end = timeout.map_or(i64::MAX, |timeout| held.since.saturating_add(millis(timeout)));
        let due = now.saturating_add(millis(period)).min(end);
        self.queue.push_timer(due, Timer::Release { group, number });
    }

    fn hold(&mut self, group: &Group, function: Arc<Function>, now: i64) -> &mut Held {
        self.intake.count += 1;
        let number = self.intake.count;
        let held = self.intake.held.entry(group.clone()).or_insert_with(|| Held {
            number,
            function: Arc::clone(&function),
            events: Vec::new(),
            since: now,
        });
        held.function = function;
        held
    }

    /// Starts the run of what was held, unless that is another batch by now, or the series went on.
    pub(super) fn release(&mut self, group: &Group, number: u64, env: &Env) -> Vec<Observation> {
        if self.intake.held.get(group).is_none_or(|held| held.number != number) {
            return Vec::new();
        }
        let Some(held) = self.intake.held.remove(group) else { return Vec::new() };
        if held.function.settings.batch.is_some() {
            let limited = held
                .events
                .first()
                .is_some_and(|event| self.is_limited(&held.function, event, env.now()));
            if limited {
                return held.events.iter().map(|event| skipped(&held.function, event)).collect();
            }
        }
        self.admit(held.function, held.events, None, env)
    }
}

fn skipped(function: &Function, event: &Event) -> Observation {
    Observation::RunSkipped {
        function_id: function.id.clone(),
        event_id: event.internal_id.to_string(),
    }
}

fn millis(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
