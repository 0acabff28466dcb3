//! Ids of rows: ULIDs, in the order in which this process made them.

use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use jiff::Timestamp;
use ulid::Generator;

pub(super) struct Ids(Mutex<Generator>);

impl Default for Ids {
    fn default() -> Self {
        Self(Mutex::new(Generator::new()))
    }
}

impl Ids {
    /// A new id, greater than every earlier one, also when the clock goes back.
    pub(super) fn next(&self, now: Timestamp) -> String {
        let mut generator = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let id = match generator.generate_from_datetime(SystemTime::from(now)) {
            Ok(id) => id,
            Err(overflow) => overflow.commit_overflow_increment(),
        };
        id.to_string()
    }
}
