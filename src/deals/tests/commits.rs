//! Every change of the table reports a failed commit, and the next one succeeds.

use std::time::Duration;

use sandbox::Database;

use super::{Bench, failure, lead};
use crate::db::Db;
use crate::deals::Schedule;
use crate::deals::key::{Dedupe, Entry};
use crate::deals::table::{self, Claim, Claimed, Lease, Made, Release};
use crate::erp::reply_with_id;

const LEASE: Lease = Lease {
    holds: Duration::from_secs(45),
    look_after: Duration::from_secs(90),
    resend_after: Duration::from_secs(900),
};

/// Every function of the table that changes it.
#[derive(Debug, Clone, Copy)]
enum Change {
    FirstClaim,
    LaterClaim,
    MarkSending,
    MarkDone,
    Release,
    NoteFailure,
    NotNeeded,
    ForgetClaims,
}

impl Change {
    const ALL: [Self; 8] = [
        Self::FirstClaim,
        Self::LaterClaim,
        Self::MarkSending,
        Self::MarkDone,
        Self::Release,
        Self::NoteFailure,
        Self::NotNeeded,
        Self::ForgetClaims,
    ];

    /// Lead 1 is claimed by `claim`, the lease of lead 2 has ended, and lead 9 is new.
    async fn make(self, db: &Db, claim: &Claim) -> anyhow::Result<()> {
        match self {
            Self::FirstClaim => table::claim(db, &entry(9), LEASE, true).await.map(drop),
            Self::LaterClaim => table::claim(db, &entry(2), LEASE, true).await.map(drop),
            Self::MarkSending => table::mark_sending(db, claim, LEASE).await.map(drop),
            Self::MarkDone => {
                let made = Made { erp_id: "119", reply: &reply_with_id("119"), recorded: None };
                table::mark_done(db, &entry(1), made).await.map(drop)
            }
            Self::Release => table::release(db, claim, Release::Refused, "no", None).await,
            Self::NoteFailure => {
                let failed = failure(&lead(9), "no", None);
                table::note_failure(db, "lead:9", Some(9), &failed, Schedule::default()).await
            }
            Self::NotNeeded => table::not_needed(db, "lead:9", Some(9), "deleted").await,
            Self::ForgetClaims => table::forget_claims(db).await,
        }
    }
}

fn entry(lead_id: u64) -> Entry {
    Entry::of(&lead(lead_id), Dedupe::Lead)
}

async fn claimed(db: &Db, lead_id: u64) -> Claim {
    match table::claim(db, &entry(lead_id), LEASE, true).await.unwrap() {
        Claimed::Granted(claim) => claim,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn every_change_reports_a_failed_commit_and_the_next_one_succeeds() {
    let bench = Bench::new().await;
    for change in Change::ALL {
        let database = Database::new().await.unwrap();
        let db = Db::open(database.url(), bench.clock.clone()).await.unwrap();
        claimed(&db, 2).await;
        bench.clock.advance(LEASE.holds + Duration::from_secs(1));
        let claim = claimed(&db, 1).await;

        database.refuse_commits().await.unwrap();
        let refused = change.make(&db, &claim).await;
        assert!(refused.is_err(), "{change:?} did not report its failed commit");
        database.accept_commits().await.unwrap();
        change.make(&db, &claim).await.unwrap();
    }
}
