//! What becomes due without belonging to the work of one run.

use ulid::Ulid;

use super::State;
use crate::core::Env;
use crate::observe::Observation;

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Timer {
    /// A wait has taken long enough.
    WaitExpires { run: Ulid, hash: String },
}

impl State {
    /// The timer's moment has come.
    pub(crate) fn ring(&mut self, timer: &Timer, env: &Env) -> Vec<Observation> {
        match timer {
            Timer::WaitExpires { run, hash } => {
                self.expire(*run, hash, env);
                Vec::new()
            }
        }
    }
}
