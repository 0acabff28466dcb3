//! The deal ledger: at most one record for each deal, whatever the ERP answers and whatever crashes.

mod answers;
mod changes;
mod circuit_breaker;
mod claims;
mod commits;
mod crash;
mod doubt;
mod merges;
mod records;
mod replicas;
mod stopped;
mod story;

use std::sync::Arc;
use std::time::Duration;

use functions::ports::{self, Created, Deal, DealKey, Erp as _, FailedDeal, ResentEvent, WaitsFor};
use sandbox::{Database, ErpFailure, FakeErp, FakeErpSettings};
use serde_json::json;
use tokio_util::sync::DropGuard;

use super::{
    DealCounts, Dedupe, Ledger, Resolution, Rules, UnfinishedDeal, Which, counts, resolve,
    unfinished,
};
use crate::clock::ManualClock;
use crate::db::Db;
use crate::erp::tests::{Bench as ErpBench, lead_deal as lead, marked, run_deal};
use crate::erp::{ErpClient, ErpSettings, reply_with_id};
use crate::outbound::Outbound;

const LEAD: u64 = 45_721_053;

/// An ERP and the database of a service in front of it.
struct Bench {
    erp: FakeErp,
    settings: ErpSettings,
    clock: Arc<ManualClock>,
    db: Db,
    _database: Database,
    _stop: DropGuard,
}

impl Bench {
    /// An ERP that takes any number of records of a lead: only the ledger prevents a second one.
    async fn new() -> Self {
        Self::of(FakeErpSettings::default()).await
    }

    /// The same with a marker field.
    async fn marked() -> Self {
        Self::new().await.with(marked)
    }

    async fn of(erp: FakeErpSettings) -> Self {
        let ErpBench { erp, settings, stop } = ErpBench::of(erp).await.with(patient);
        let database = Database::new().await.unwrap();
        let clock = Arc::new(ManualClock::new("2026-11-22T10:00:00Z".parse().unwrap()));
        let db = Db::open(database.url(), clock.clone()).await.unwrap();
        Self { erp, settings, clock, db, _database: database, _stop: stop }
    }

    fn with(mut self, change: impl FnOnce(&mut ErpSettings)) -> Self {
        change(&mut self.settings);
        self
    }

    /// The next call of the ERP fails so. An ERP that hangs is waited for briefly, any other long enough for a machine
    /// under load.
    fn failing(mut self, failure: ErpFailure) -> Self {
        let long = self.settings.timeout;
        self.settings.timeout = if hangs(&failure) { Duration::from_secs(2) } else { long };
        self.erp.fail_next(1, failure);
        self
    }

    /// A ledger as after a start: nothing of an earlier one is known but what the database holds.
    fn ledger(&self) -> Ledger {
        self.ledger_of(Dedupe::Lead)
    }

    fn ledger_of(&self, dedupe: Dedupe) -> Ledger {
        let rules = Rules { dedupe, ..Rules::default() };
        Ledger::new(self.db.clone(), Some(self.erp_client()), rules, self.clock.clone())
    }

    /// The deals that are not done.
    async fn unfinished(&self) -> Vec<UnfinishedDeal> {
        unfinished(&self.db, 10_000).await.unwrap()
    }

    /// What a person found out about the deal of a lead. Whether that decided something.
    async fn resolve(&self, lead_id: u64, found: &Resolution) -> bool {
        let mut transaction = self.db.begin().await.unwrap();
        let which = Which::Lead(lead_id);
        let resolved = resolve(&mut transaction, &which, found, self.db.now()).await.unwrap();
        transaction.commit().await.unwrap();
        !resolved.is_empty()
    }

    fn erp_client(&self) -> ErpClient {
        ErpClient::new(self.settings.clone(), Outbound::new(), self.clock.clone())
    }

    async fn fails(&self, deal: &Deal) -> ports::Error {
        self.ledger().create(deal).await.unwrap_err()
    }

    /// Deals that are done, have failed, and are in doubt.
    async fn counts(&self) -> (i64, i64, i64) {
        let DealCounts { done, failed, in_doubt, .. } = counts(&self.db).await.unwrap();
        (done, failed, in_doubt)
    }

    fn a_minute_passes(&self) {
        self.clock.advance(Duration::from_secs(61));
    }
}

fn patient(settings: &mut ErpSettings) {
    settings.timeout = Duration::from_secs(20);
}

fn hangs(failure: &ErpFailure) -> bool {
    use ErpFailure as F;
    matches!(failure, F::Hang | F::InsertThenHang | F::HangThenInsert)
}

fn run(run: &str) -> Deal {
    Deal { key: DealKey::Run(run.to_owned()), ..in_run(run, run_deal()) }
}

fn in_run(run: &str, deal: Deal) -> Deal {
    Deal { run_id: run.to_owned(), ..deal }
}

/// What Inngest's failure handler reports of a deal.
fn failure(deal: &Deal, reason: &str, waits_for: Option<WaitsFor>) -> FailedDeal {
    let event = ResentEvent { name: "amocrm/webhook", data: json!({ "leadId": LEAD }) };
    FailedDeal {
        key: deal.key.clone(),
        run_id: deal.run_id.clone(),
        reason: reason.to_owned(),
        waits_for,
        event: Some(event),
    }
}

fn created(id: &str, duplicate: bool) -> Created {
    Created { reply: reply_with_id(id), duplicate }
}
