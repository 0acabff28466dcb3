//! Whether the ERP answers sensibly at the moment.
//!
//! A deal in doubt may cost a person's time, so after several unclear answers in a row nothing is sent before the ERP has
//! shown that it would take a record: one that is half down, or that answers a wrong password or a missing right with an
//! empty page, then keeps deals waiting and not in doubt.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::erp::{ErpClient, Failure};

/// Unclear answers in a row before the ERP has to prove itself.
pub const UNCLEAR_ANSWERS: u32 = 5;

#[derive(Default)]
pub(super) struct Breaker {
    unclear: AtomicU32,
}

impl Breaker {
    pub(super) fn unclear(&self) {
        self.unclear.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn clear(&self) {
        self.unclear.store(0, Ordering::Relaxed);
    }

    /// Lets an insert pass, if need be after a question; the failure is the answer to that.
    pub(super) async fn pass(&self, erp: &ErpClient) -> Result<(), Failure> {
        if self.unclear.load(Ordering::Relaxed) >= UNCLEAR_ANSWERS {
            erp.may_create().await?;
            self.clear();
        }
        Ok(())
    }
}
