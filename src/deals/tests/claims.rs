//! Who may send a deal, and for how long.

use std::time::Duration;

use functions::ports::Erp as _;
use sandbox::ErpFailure;
use serde_json::json;

use super::{Bench, LEAD, created, failure, in_run, lead};
use crate::db::Db;
use crate::deals::error::LedgerError;
use crate::deals::key::{Dedupe, Entry};
use crate::deals::table::{self, Claim, Claimed, Lease, Made, Past, Release};
use crate::deals::{Ledger, Resolution, forget_claims};

const LEASE: Lease = Lease {
    holds: Duration::from_secs(45),
    look_after: Duration::from_secs(90),
    resend_after: Duration::from_secs(900),
};

fn entry() -> Entry {
    Entry::of(&lead(LEAD), Dedupe::Lead)
}

async fn claim(db: &Db) -> Claimed {
    table::claim(db, &entry(), LEASE, true).await.unwrap()
}

pub(super) async fn granted(db: &Db) -> Claim {
    match claim(db).await {
        Claimed::Granted(claim) => claim,
        other => panic!("{other:?}"),
    }
}

/// Killed between the ERP's work and its answer.
async fn killed(bench: &Bench, ledger: &Ledger) {
    bench.erp.fail_next(1, ErpFailure::InsertThenHang);
    let crash = async {
        while bench.erp.rows().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let deal = lead(LEAD);
    tokio::select! {
        _ = ledger.record(&deal) => panic!("there is no answer"),
        () = crash => {}
    }
}

#[tokio::test]
async fn a_claim_that_was_left_behind_is_taken_over_only_after_its_lease() {
    let bench = Bench::marked().await;
    killed(&bench, &bench.ledger()).await;
    for _ in 0..2 {
        let busy = bench.ledger().record(&in_run("01RUN2", lead(LEAD))).await.unwrap_err();
        assert!(matches!(busy, LedgerError::Busy { .. }), "{busy}");
        bench.clock.advance(Duration::from_secs(26));
    }
    let early = bench.ledger().record(&lead(LEAD)).await.unwrap_err();
    assert!(matches!(early, LedgerError::InDoubt { .. }), "{early}");
    bench.a_minute_passes();
    assert_eq!(bench.ledger().create(&lead(LEAD)).await.unwrap(), created("119", true));
}

#[tokio::test]
async fn a_second_attempt_that_is_killed_is_in_doubt_like_a_first_one() {
    let bench = Bench::marked().await;
    bench.erp.fail_next(1, ErpFailure::NoDatabase);
    bench.fails(&lead(LEAD)).await;
    killed(&bench, &bench.ledger()).await;
    bench.clock.advance(LEASE.holds + LEASE.look_after);
    assert_eq!(bench.ledger().create(&lead(LEAD)).await.unwrap(), created("119", true));
    assert_eq!(bench.erp.rows().len(), 1);
}

#[tokio::test]
async fn a_service_that_is_alone_forgets_the_claims_of_the_one_before_it_and_no_doubt() {
    let bench = Bench::marked().await;
    killed(&bench, &bench.ledger()).await;
    forget_claims(&bench.db).await.unwrap();
    let next = bench.ledger().record(&lead(LEAD)).await.unwrap_err();
    if bench.db.is_shared() {
        assert!(matches!(next, LedgerError::Busy { .. }), "another replica may live: {next}");
    } else {
        assert!(matches!(next, LedgerError::InDoubt { .. }), "{next}");
    }
    bench.clock.advance(Duration::from_secs(96));
    assert_eq!(bench.ledger().create(&lead(LEAD)).await.unwrap(), created("119", true));
}

#[tokio::test]
async fn a_claim_holds_as_long_as_its_lease_and_the_next_one_sees_what_it_left_behind() {
    let bench = Bench::new().await;
    let first = granted(&bench.db).await;
    assert_eq!((first.fence, first.past), (1, Past::FirstClaim));
    bench.clock.advance(LEASE.holds - Duration::from_millis(1));
    assert!(matches!(claim(&bench.db).await, Claimed::Held(_)));
    bench.clock.advance(Duration::from_millis(1));
    let after = "2026-11-22T10:01:30Z".parse().unwrap();
    for (how, past) in [
        (Release::Unchanged, Past::InDoubt(after)),
        (Release::Refused, Past::Refused),
        (Release::Unchanged, Past::Refused),
        (Release::InDoubt(after), Past::InDoubt(after)),
    ] {
        let claim = granted(&bench.db).await;
        table::release(&bench.db, &claim, how, "no", None).await.unwrap();
        let next = granted(&bench.db).await;
        assert_eq!(next.past, past, "{how:?}");
        table::release(&bench.db, &next, Release::Unchanged, "no", None).await.unwrap();
    }
}

#[tokio::test]
async fn an_insert_that_the_erp_did_not_act_on_leaves_nothing_to_look_up() {
    let bench = Bench::new().await;
    let first = granted(&bench.db).await;
    table::release(&bench.db, &first, Release::NotSent, "no", None).await.unwrap();
    let second = granted(&bench.db).await;
    assert_eq!(second.past, Past::NotSent);
    assert!(table::mark_sending(&bench.db, &second, LEASE).await.unwrap());
    table::release(&bench.db, &second, Release::NotSent, "no", None).await.unwrap();
    assert_eq!(granted(&bench.db).await.past, Past::NotSent);
}

#[tokio::test]
async fn an_old_claim_sends_nothing_and_changes_nothing() {
    let bench = Bench::new().await;
    let old = granted(&bench.db).await;
    bench.clock.advance(LEASE.holds);
    let new = granted(&bench.db).await;
    assert!(!table::mark_sending(&bench.db, &old, LEASE).await.unwrap());
    table::release(&bench.db, &old, Release::NotSent, "no", None).await.unwrap();
    assert!(matches!(claim(&bench.db).await, Claimed::Held(_)), "the new claim holds");
    table::release(&bench.db, &new, Release::Unchanged, "no", None).await.unwrap();
    assert!(matches!(granted(&bench.db).await.past, Past::InDoubt(_)), "and is still in doubt");
}

#[tokio::test]
async fn a_record_is_noted_by_any_claim_and_overwritten_by_none() {
    let bench = Bench::new().await;
    let old = granted(&bench.db).await;
    bench.clock.advance(LEASE.holds);
    granted(&bench.db).await;
    // The call of the old claim has ended well after all.
    let (first, second) = (json!(1), json!(2));
    let made = |erp_id, reply| Made { erp_id, reply, recorded: None };
    let noted = async |made| table::mark_done(&bench.db, &entry(), made).await.unwrap().is_some();
    assert!(noted(made("119", &first)).await);
    assert!(!noted(made("120", &second)).await);
    assert_eq!(claim(&bench.db).await, Claimed::Done(json!(1)));
    assert!(!table::mark_sending(&bench.db, &old, LEASE).await.unwrap());
    table::release(&bench.db, &old, Release::NotSent, "no", None).await.unwrap();
    bench.ledger().note_failure(&failure(&lead(LEAD), "no", None)).await.unwrap();
    assert!(!bench.resolve(LEAD, &Resolution::Absent).await);
    assert_eq!(
        (claim(&bench.db).await, bench.counts().await),
        (Claimed::Done(json!(1)), (1, 0, 0))
    );
}

#[tokio::test]
async fn a_person_decides_nothing_while_a_deal_is_being_sent() {
    let bench = Bench::new().await;
    let claimed = granted(&bench.db).await;
    assert!(!bench.resolve(LEAD, &Resolution::Absent).await);
    bench.clock.advance(LEASE.holds);
    assert!(bench.resolve(LEAD, &Resolution::Absent).await);
    // The run that held the claim is late.
    assert!(!table::mark_sending(&bench.db, &claimed, LEASE).await.unwrap());
    assert_eq!(granted(&bench.db).await.past, Past::NotSent);
}
