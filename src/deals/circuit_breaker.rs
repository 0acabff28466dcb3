//! The circuit breaker before the ERP.
//!
//! A deal in doubt may cost a person's time. So after several unclear answers in a row the breaker opens, and nothing is
//! sent before the ERP has shown that it would take a record: one that is half down, or that answers a wrong password or
//! a missing right with an empty page, then keeps deals waiting and not in doubt.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::erp::{ErpClient, ErpError};

/// The breaker opens after so many unclear answers in a row.
pub(super) const OPENS_AFTER: u32 = 5;

/// Closed at the start.
#[derive(Default)]
pub(super) struct CircuitBreaker {
    unclear_answers: AtomicU32,
}

impl CircuitBreaker {
    /// The outcome of an insert is unknown.
    pub(super) fn unclear_answer(&self) {
        self.unclear_answers.fetch_add(1, Ordering::Relaxed);
    }

    /// The ERP works.
    pub(super) fn close(&self) {
        self.unclear_answers.store(0, Ordering::Relaxed);
    }

    /// Lets an insert pass. An open breaker asks the ERP first whether it would take one, and closes if it would.
    pub(super) async fn pass(&self, erp: &ErpClient) -> Result<(), ErpError> {
        if self.unclear_answers.load(Ordering::Relaxed) >= OPENS_AFTER {
            erp.may_create().await?;
            self.close();
        }
        Ok(())
    }
}
