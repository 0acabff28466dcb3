//! The circuit breaker before the ERP: no insert is sent that the ERP has not just shown that it would act on.
//!
//! Rukovoditel on PHP 8 answers a wrong password or a missing right with an empty HTTP 500, and a wrong address brings any
//! page: as answers to an insert they put a deal in doubt, which may cost a person's time. A question afterwards cannot take
//! it out again. That the right to create is missing now does not show that it was missing then; the record may have been
//! stored before it was taken away, and before the ERP broke down. So the question comes first: an insert without items,
//! which passes the same checks up to the right to create, and is refused there. While it does not pass, nothing has been
//! sent, and the deal waits.
//!
//! The ERP's word counts for some seconds, so that a burst of deals does not double its calls; a record that was created
//! is as good as an answer. An unclear answer ends it at once. What is left is access that ends within these seconds: then
//! the first insert after that is in doubt, as it must be.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::SharedClock;
use crate::erp::{ErpClient, ErpError};

/// How long the ERP's word counts.
pub(super) const HOLDS: Duration = Duration::from_secs(10);

/// Open at the start, for each entity: rights belong to entities.
pub(super) struct CircuitBreaker {
    clock: SharedClock,
    /// The uptime at which an entity last took a record, or would have.
    shown: Mutex<HashMap<u64, Duration>>,
}

impl CircuitBreaker {
    pub(super) fn new(clock: SharedClock) -> Self {
        Self { clock, shown: Mutex::default() }
    }

    /// Whether an insert may be sent without a question.
    pub(super) fn is_closed(&self, entity_id: u64) -> bool {
        let shown = self.shown().get(&entity_id).copied();
        shown.is_some_and(|shown| self.is_fresh(shown))
    }

    /// The outcome of an insert is unknown.
    pub(super) fn open(&self) {
        self.shown().clear();
    }

    /// The entity has taken a record, or would have.
    pub(super) fn close(&self, entity_id: u64) {
        let now = self.clock.uptime();
        let mut shown = self.shown();
        // Events name their entities: the list must not grow with them.
        shown.retain(|_, shown| self.is_fresh(*shown));
        shown.insert(entity_id, now);
    }

    /// Lets an insert pass: one that the ERP would act on.
    pub(super) async fn pass(&self, erp: &ErpClient, entity_id: u64) -> Result<(), ErpError> {
        if !self.is_closed(entity_id) {
            erp.may_create(entity_id).await?;
            self.close(entity_id);
        }
        Ok(())
    }

    fn is_fresh(&self, shown: Duration) -> bool {
        self.clock.uptime().saturating_sub(shown) < HOLDS
    }

    fn shown(&self) -> MutexGuard<'_, HashMap<u64, Duration>> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
