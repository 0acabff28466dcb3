//! Whether the ERP answers sensibly at the moment.
//!
//! A deal in doubt may cost a person's time, so after several unclear answers in a row nothing is sent before a harmless
//! look-up has succeeded: an ERP that is half down, or that answers a wrong password with an empty page, then keeps deals
//! waiting and not in doubt.

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

    /// Lets an insert pass, if need be after a look-up; the failure is that of the look-up.
    pub(super) async fn pass(&self, erp: &ErpClient) -> Result<(), Failure> {
        if self.unclear.load(Ordering::Relaxed) < UNCLEAR_ANSWERS {
            return Ok(());
        }
        match erp.probe().await {
            Err(failure @ (Failure::Unavailable { .. } | Failure::Credentials { .. })) => {
                Err(failure)
            }
            // A refusal is an answer too.
            Ok(()) | Err(Failure::Refused { .. } | Failure::Unknown { .. }) => {
                self.clear();
                Ok(())
            }
        }
    }
}
