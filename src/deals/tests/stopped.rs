//! Time that passes between the claim of a deal and the first byte of its call: the ERP takes long to answer a question, or
//! the process is stopped.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use functions::ports::{Created, Erp as _};
use jiff::Timestamp;
use sandbox::{ErpFailure, HeldRequest};
use tokio::task::JoinHandle;

use super::claims::granted;
use super::{Bench, LEAD, created, lead};
use crate::clock::{Clock, ManualClock};
use crate::deals::error::LedgerError;
use crate::deals::{Ledger, Rules};

/// Longer than any lease.
const LONG: Duration = Duration::from_secs(91);

/// A run of the lead, as far as the request that the ERP holds.
async fn until_held(
    ledger: &Ledger,
    held: &mut HeldRequest,
) -> JoinHandle<Result<Created, LedgerError>> {
    let ledger = ledger.clone();
    let run = tokio::spawn(async move { ledger.record(&lead(LEAD)).await });
    held.arrived().await;
    run
}

#[tokio::test]
async fn a_run_that_looked_until_another_one_took_over_sends_nothing() {
    let bench = Bench::marked().await;
    bench.erp.fail_next(1, ErpFailure::BadGateway);
    bench.fails(&lead(LEAD)).await;
    bench.a_minute_passes();

    let mut looking = bench.erp.hold_next();
    let run = until_held(&bench.ledger(), &mut looking).await;
    bench.clock.advance(LONG);
    granted(&bench.db).await;
    drop(looking);
    let error = run.await.unwrap().unwrap_err();
    assert!(matches!(error, LedgerError::Busy { .. }), "{error}");
    assert_eq!((bench.erp.count("select"), bench.erp.rows().len()), (1, 0));
}

#[tokio::test]
async fn a_run_that_asked_a_broken_erp_until_another_one_took_over_sends_nothing() {
    for is_taken_over in [true, false] {
        let bench = Bench::new().await;
        let mut asking = bench.erp.hold_next();
        let run = until_held(&bench.ledger(), &mut asking).await;
        bench.clock.advance(LONG);
        if is_taken_over {
            granted(&bench.db).await;
        }
        drop(asking);
        match run.await.unwrap() {
            Ok(made) => assert_eq!((is_taken_over, made), (false, created("119", false))),
            Err(error) => {
                assert!(is_taken_over && matches!(error, LedgerError::Busy { .. }), "{error}");
            }
        }
        assert_eq!(bench.erp.rows().len(), usize::from(!is_taken_over));
    }
}

/// The clock of a process that is stopped after so many looks at how long it has been there.
struct Stopped {
    clock: Arc<ManualClock>,
    looks: AtomicUsize,
    after: AtomicUsize,
}

impl Stopped {
    fn new(bench: &Bench, after: usize) -> Arc<Self> {
        let (clock, looks) = (Arc::clone(&bench.clock), AtomicUsize::new(0));
        Arc::new(Self { clock, looks, after: after.into() })
    }
}

impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn uptime(&self) -> Duration {
        let uptime = self.clock.uptime();
        if self.looks.fetch_add(1, Ordering::Relaxed) + 1 == self.after.load(Ordering::Relaxed) {
            self.clock.advance(LONG);
        }
        uptime
    }
}

/// It looks when the claim is asked for, when the ERP would take a record, when the call is committed, and when the body
/// goes to the socket.
#[tokio::test]
async fn a_process_that_is_stopped_before_the_body_goes_out_sends_nothing() {
    let bench = Bench::new().await;
    let clock = Stopped::new(&bench, 3);
    let ledger =
        Ledger::new(bench.db.clone(), Some(bench.erp_client()), Rules::default(), clock.clone());
    let error = ledger.record(&lead(LEAD)).await.unwrap_err();
    assert!(error.to_string().contains("it was too late"), "{error}");
    assert_eq!((bench.erp.count("insert"), bench.counts().await), (0, (0, 1, 0)), "{error}");
    assert_eq!(clock.looks.load(Ordering::Relaxed), 4);
    assert_eq!(ledger.create(&lead(LEAD)).await.unwrap(), created("119", false));
}

/// The first claim says `sending` at once where the ERP was not to be asked: the lease is as old as that.
#[tokio::test]
async fn a_process_that_is_stopped_after_its_claim_asserts_it_anew() {
    let bench = Bench::new().await;
    let clock = Stopped::new(&bench, usize::MAX);
    let ledger =
        Ledger::new(bench.db.clone(), Some(bench.erp_client()), Rules::default(), clock.clone());
    ledger.record(&lead(1)).await.unwrap();
    // When the claim is asked for, whether the ERP has to be, and after the claim once more.
    clock.looks.store(0, Ordering::Relaxed);
    clock.after.store(3, Ordering::Relaxed);
    assert_eq!(ledger.record(&lead(LEAD)).await.unwrap(), created("120", false));
    assert_eq!((bench.erp.count("question"), bench.clock.uptime() >= LONG), (1, true));
}
