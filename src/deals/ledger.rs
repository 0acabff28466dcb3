//! The deal ledger: at most one ERP record for each deal, whatever crashes in between.
//!
//! The ERP knows no idempotency key, so our own database is the truth. A row says `sending` before the ERP is called;
//! a run that finds it so after a crash looks the record up by its marker, and only when it is absent sends it again.
//! Where there is no marker nothing is guessed: the run fails, says what to check, and the row stays in doubt until a
//! person has decided.

use std::sync::Arc;
use std::time::Duration;

use functions::ports::{self, Created, Deal, DealKey, Erp};
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use super::breaker::Breaker;
use super::error::LedgerError;
use super::key::{self, Entry};
use super::outcome;
use super::turns::Turns;
use crate::clock::SharedClock;
use crate::config::Dedupe;
use crate::db::Db;
use crate::deals::{Claim, ClaimedDeal, Lease, Unsent};
use crate::erp::{ErpClient, Inserted, MarkerLookup, label};

/// How long after an ambiguous answer the record may still appear: the ERP finishes a request
/// also when its caller has gone.
pub const SETTLING: Duration = Duration::from_secs(60);

/// What a claim lasts beyond one call: time to commit, and clocks of replicas that differ.
const LEASE_MARGIN: Duration = Duration::from_secs(15);

/// Creates records through an [`ErpClient`], at most one for each deal. Cheap to clone.
#[derive(Clone)]
pub struct Ledger(pub(super) Arc<Inner>);

pub(super) struct Inner {
    store: Db,
    pub(super) erp: ErpClient,
    dedupe: Dedupe,
    pub(super) clock: SharedClock,
    turns: Turns,
    pub(super) breaker: Breaker,
    running: TaskTracker,
}

impl Ledger {
    /// A ledger in `store` for the records in `erp`.
    pub fn new(store: Db, erp: ErpClient, dedupe: Dedupe, clock: SharedClock) -> Self {
        let (turns, breaker, running) = Default::default();
        Self(Arc::new(Inner { store, erp, dedupe, clock, turns, breaker, running }))
    }

    /// Creates the record of `deal`, unless it exists. Dropped half-way, it leaves a deal in doubt, as a crash does;
    /// [`Erp::create`] is not dropped with its caller.
    pub async fn record(&self, deal: &Deal) -> Result<Created, LedgerError> {
        let entry = Entry::of(deal, self.0.dedupe);
        let _turn = self.0.turns.take(&entry.key).await;
        let claim = self.0.store.claim_deal(entry.row(), self.lease()).await;
        match claim.map_err(|source| entry.store_failed(source))? {
            Claim::Done(reply) => entry.duplicate(&reply),
            Claim::Busy(until) => Err(entry.busy(until, self.0.clock.now())),
            Claim::Mine(claim) => self.claimed(&entry, &claim).await,
        }
    }

    /// Waits for the calls that are under way. A process that ends within one leaves its deal in doubt.
    pub async fn settle(&self) {
        self.0.running.close();
        self.0.running.wait().await;
        self.0.running.reopen();
    }

    fn lease(&self) -> Lease {
        let call = self.0.erp.settings().timeout;
        Lease { holds: call + LEASE_MARGIN, unknown: call + SETTLING }
    }

    async fn claimed(&self, entry: &Entry, claim: &ClaimedDeal) -> Result<Created, LedgerError> {
        if !claim.fresh {
            if let Some(created) = self.look_before_resending(entry, claim).await? {
                return Ok(created);
            }
            let sending = self.0.store.deal_sending(claim, self.lease()).await;
            if !sending.map_err(|source| entry.store_failed(source))? {
                return Err(entry.busy(self.0.clock.now() + LEASE_MARGIN, self.0.clock.now()));
            }
        }
        if let Err(failure) = self.0.breaker.pass(&self.0.erp).await {
            let error = LedgerError::Erp(self.0.erp.error(failure, &entry.deal));
            return Err(self.unsent(claim, Unsent::NotSent, error).await);
        }
        match self.0.erp.insert(&entry.deal).await {
            Ok(Inserted::Created { reply }) => {
                let created = Created { reply, duplicate: false };
                self.0.breaker.clear();
                self.done(entry, &created).await;
                Ok(created)
            }
            Ok(Inserted::AlreadyExists { fields }) => {
                match self.0.erp.existing(&entry.deal, &fields).await {
                    Ok(created) => {
                        self.done(entry, &created).await;
                        Ok(created)
                    }
                    Err(error) => {
                        Err(self.unsent(claim, Unsent::Refused, LedgerError::Erp(error)).await)
                    }
                }
            }
            Err(error) => {
                let (how, error) = self.after_insert(entry, error);
                Err(self.unsent(claim, how, error).await)
            }
        }
    }

    /// The record of an earlier attempt, if there is one; `None`: it is safe to send.
    async fn look_before_resending(
        &self,
        entry: &Entry,
        claim: &ClaimedDeal,
    ) -> Result<Option<Created>, LedgerError> {
        let Some(lead_id) = self.0.erp.marked_lead(&entry.deal) else {
            if !claim.in_doubt {
                return Ok(None);
            }
            let reason = "an earlier attempt was sent, and what came of it is not known".to_owned();
            let error = self.unresolved(entry, reason);
            return Err(self.unsent(claim, Unsent::Untouched, error).await);
        };
        if !claim.in_doubt && claim.attempt == 0 {
            return Ok(None);
        }
        let now = self.0.clock.now();
        if let Some(early) = claim.look_after.filter(|after| claim.in_doubt && now < *after) {
            let reason = "what came of an earlier attempt is not known";
            let error = entry.in_doubt(reason, early, now);
            return Err(self.unsent(claim, Unsent::Untouched, error).await);
        }
        let found = self.0.erp.find_by_marker(lead_id, entry.deal.entity_id).await;
        match found {
            Ok(MarkerLookup::Absent) => Ok(None),
            Ok(MarkerLookup::Found(id)) => {
                tracing::info!(deal = entry.key, erp_id = id, "the record exists already");
                let created = outcome::existing(&id);
                self.done(entry, &created).await;
                Ok(Some(created))
            }
            Ok(MarkerLookup::Untrusted(reason)) => {
                let reason = format!("the record cannot be looked up: {reason}");
                let error = self.unresolved(entry, reason);
                Err(self.unsent(claim, Unsent::Untouched, error).await)
            }
            Err(failure) => {
                let error = LedgerError::NotLookedUp { deal: label(&entry.deal), failure };
                Err(self.unsent(claim, Unsent::Untouched, error).await)
            }
        }
    }

    /// The record exists. That it cannot be noted is no reason to say otherwise: the next attempt looks it up.
    async fn done(&self, entry: &Entry, created: &Created) {
        let id = outcome::erp_id(&created.reply);
        let reply = created.reply.to_string();
        match self.0.store.deal_done(&entry.key, &id, &reply).await {
            Ok(true) => {}
            Ok(false) => {
                tracing::error!(deal = entry.key, erp_id = id, "the deal had a record already");
            }
            Err(error) => tracing::error!(
                deal = entry.key,
                erp_id = id,
                error = format!("{error:#}"),
                "a record was created and could not be noted"
            ),
        }
    }

    /// Gives the claim back, with the reason. Where that fails, the lease ends it.
    async fn unsent(&self, claim: &ClaimedDeal, how: Unsent, error: LedgerError) -> LedgerError {
        if let Err(problem) = self.0.store.deal_unsent(claim, how, &error.to_string()).await {
            let problem = format!("{problem:#}");
            tracing::error!(deal = claim.key, problem, "why a deal failed could not be noted");
        }
        error
    }
}

impl Erp for Ledger {
    async fn create(&self, deal: &Deal) -> ports::Result<Created> {
        // In a task of its own: Inngest hanging up must not turn a call that goes well into a deal in doubt.
        let (ledger, owned) = (self.clone(), deal.clone());
        let work = async move { ledger.record(&owned).await }.in_current_span();
        match self.0.running.spawn(work).await {
            Ok(created) => Ok(created?),
            Err(error) => {
                let deal = label(deal);
                Err(ports::Error::again(format!("creating {deal} was cut short: {error}")))
            }
        }
    }

    async fn note_failure(&self, deal: &DealKey, run_id: &str, reason: &str) -> ports::Result<()> {
        let (key, lead_id) = key::of(deal, run_id, self.0.dedupe);
        tracing::error!(deal = key, run_id, reason, "a deal got no record");
        let noted = self.0.store.note_deal_failure(&key, lead_id, run_id, reason).await;
        noted.map_err(ports::Error::again)
    }
}
