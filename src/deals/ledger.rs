//! The deal ledger: at most one ERP record for each deal, whatever crashes in between.
//!
//! The ERP has no idempotency key: the same insert sent twice makes two records. So our own database decides:
//! 1. Nothing is sent without a claim. One run holds it, of all replicas, and a deal that is `done` is not claimed again.
//! 2. That a deal is being sent (`sending`) is on the disk before the ERP is called. So whatever crashes, a call that may
//!    have been made can be seen afterwards.
//! 3. Where `sending` is found, nothing is sent before the ERP has shown that it holds no record of the deal. Where it
//!    cannot show that, a person must look.
//! 4. An answer changes the row by what it proves and no more. What proves nothing leaves the deal in doubt.
//! 5. A claim has a fence and a lease. The fence is asserted with the commit of `sending`, and the time since then when the
//!    deal goes to the socket: what is too late for its lease is not sent.
//!
//! This rests on two things: a commit that was reported survives (`db::transaction`), and an answer that is taken as "not
//! created" is one (`erp::response`). It does not cover a process that is stopped after the last look at its clock, a
//! moment before the system takes the bytes, and goes on when another one has looked, found nothing, and sent the deal.

use std::sync::Arc;
use std::time::Duration;

use functions::ports::{self, Compared, Created, Deal, DealKey, Erp, FailedDeal, Gone, Reading};
use serde_json::Value;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use super::circuit_breaker::CircuitBreaker;
use super::error::LedgerError;
use super::key::{self, Entry, KeyedLock};
use super::report::Rules;
use super::table::{self, Claim, Claimed, Lease, Made, Noted, Past, Release};
use crate::clock::SharedClock;
use crate::db::Db;
use crate::erp::{self, ErpClient, ErpError, Insertion, MarkerLookup, SendBy, reply_with_id};
use crate::trouble::Trouble;

/// How long after a call of unknown outcome the record may still appear: the ERP finishes a request also when its caller
/// has gone. A look-up that finds nothing sooner than this proves nothing.
pub(super) const RECORD_MAY_APPEAR: Duration = Duration::from_secs(60);

/// What a lease lasts beyond one call. A call that has not begun when half of it is over is not made: so much is left for
/// clocks that differ.
pub(super) const LEASE_MARGIN: Duration = Duration::from_secs(30);

/// How long after its commit was asked for a lease is good enough to begin a call.
pub(super) const FRESH: Duration = Duration::from_secs(15);

/// Creates records in the ERP, at most one for each deal. Clones share everything.
#[derive(Clone)]
pub(crate) struct Ledger {
    pub(super) db: Db,
    pub(super) erp: Option<ErpClient>,
    pub(super) rules: Rules,
    pub(super) clock: SharedClock,
    pub(super) locks: Arc<KeyedLock>,
    breaker: Arc<CircuitBreaker>,
    running: TaskTracker,
}

impl Ledger {
    /// A ledger in `db` for the records in `erp`. Without an ERP every deal fails, visibly, and says what to set.
    pub(crate) fn new(db: Db, erp: Option<ErpClient>, rules: Rules, clock: SharedClock) -> Self {
        let (locks, running) = Default::default();
        let breaker = Arc::new(CircuitBreaker::new(Arc::clone(&clock)));
        Self { db, erp, rules, clock, locks, breaker, running }
    }

    /// Whether the ERP would create a record now, by a call that creates none.
    pub(crate) async fn probe(&self) -> Result<(), Trouble> {
        let Some(erp) = &self.erp else { return Err(erp::missing()) };
        erp.may_create(erp.settings().entity_id).await.map_err(|error| error.trouble())
    }

    /// Waits for the calls that are under way. A process that ends within one leaves its deal in doubt.
    pub(crate) async fn drain(&self) {
        self.running.close();
        self.running.wait().await;
    }

    /// Creates the record of `deal`, unless it exists. Dropped half-way, it leaves the deal in doubt, as a crash does.
    pub(super) async fn record(&self, deal: &Deal) -> Result<Created, LedgerError> {
        let mut entry = Entry::of(deal, self.rules.dedupe);
        let Some(erp) = &self.erp else {
            return Err(LedgerError::NoErp { deal: entry.name, options: entry.options });
        };
        entry.values = serde_json::to_string(&erp.values(deal)).ok();
        // Two webhooks of a lead often come together. In one process the second one waits here, and finds the record
        // instead of a claim that is held. It saves errors and retries; what keeps the deal single is the claim.
        let _lock = self.locks.lock(&entry.key).await;

        // First the claim, in the database, because replicas share nothing else. It is a lease and no lock: the claim of
        // a process that died must end by itself. It lasts longer than an insert can take. Where it ends too early all
        // the same, the next claim finds `sending`, and has to wait and look like any other.
        let call = erp.settings().timeout;
        let look_after = FRESH + call + RECORD_MAY_APPEAR;
        let resend_after = self.rules.schedule.resend_after;
        let lease = Lease { holds: call + LEASE_MARGIN, look_after, resend_after };
        let mut asked = self.clock.uptime();
        // While the ERP has to be asked first, nothing is about to be sent: a process that dies then leaves no doubt.
        let entity = erp.entity_of(&entry.deal);
        let sends = self.breaker.is_closed(entity);
        let claimed = table::claim(&self.db, &entry, lease, sends).await;
        // After a database error the claim may be committed. Nothing was sent, and the lease ends it.
        let claim = match claimed.map_err(|source| LedgerError::db(&entry, source))? {
            Claimed::Granted(claim) => claim,
            Claimed::Done(reply) => {
                let (deal, lead) = (entry.key.as_str(), entry.lead_id);
                tracing::info!(deal, lead, "a deal has its record already");
                return Ok(Created { reply, duplicate: true });
            }
            Claimed::Held(until) => {
                return Err(LedgerError::busy(&entry, until, self.clock.now()));
            }
        };

        // The first claim of a deal may say `sending` from the start. There was no earlier call: a look-up could only find
        // nothing, and there is nothing left to commit. Every later claim finds out what the earlier ones did.
        match self.earlier_record(erp, &entry, claim.past).await {
            // It holds what was sent then, which is not always what the lead has now.
            Ok(Some(id)) => return Ok(self.exists(&entry, &id, claim.sent.as_deref()).await),
            Ok(None) => {}
            // Nothing was sent and nothing learnt: the row goes on saying what it said.
            Err(error) => return Err(self.give_back(&claim, Release::Unchanged, error).await),
        }
        // While the breaker is open this calls the ERP, so it comes before the commit that the call rests on.
        if let Err(error) = self.breaker.pass(erp, entity).await {
            let error = LedgerError::not_created(&entry, error);
            return Err(self.give_back(&claim, claim.unsent(), error).await);
        }
        if claim.past != Past::FirstClaim || self.since(asked) >= FRESH {
            asked = self.clock.uptime();
            let sending = table::mark_sending(&self.db, &claim, lease).await;
            // Committed before the call: after a crash or a database error a call may be looked up that was never made.
            // In the other order a call might be made twice.
            if !sending.map_err(|source| LedgerError::db(&entry, source))? {
                // The fence: while we looked, our lease has ended and another run has claimed the deal. It may be
                // sending it by now.
                let now = self.clock.now();
                return Err(LedgerError::busy(&entry, now + LEASE_MARGIN, now));
            }
        }
        // The lease began when its commit was asked for. An answer that came late, or a process that was stopped, has used
        // it up, and another run may hold the deal.
        let begin = SendBy::new(Arc::clone(&self.clock), asked + FRESH);
        match self.send(erp, &entry, begin).await {
            Ok(created) => Ok(created),
            Err((release, error)) => Err(self.give_back(&claim, release, error).await),
        }
    }

    /// Does `work` in a task of its own: when Inngest hangs up, the future of its call is dropped. A call of the ERP that goes
    /// well would then never be noted, and the deal would be in doubt for nothing.
    async fn to_its_end<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, LedgerError>> + Send + 'static,
        what: &str,
        deal: &Deal,
    ) -> ports::Result<T> {
        match self.running.spawn(work.in_current_span()).await {
            Ok(done) => Ok(done?),
            Err(cut_short) => {
                let text = format!("{what} {} was cut short: {cut_short}", key::describe(deal));
                Err(ports::Error::again(text))
            }
        }
    }

    fn since(&self, uptime: Duration) -> Duration {
        self.clock.uptime().saturating_sub(uptime)
    }

    /// The id of the record that an earlier claim has made. `None`: there is none, and the deal may be sent.
    async fn earlier_record(
        &self,
        erp: &ErpClient,
        entry: &Entry,
        past: Past,
    ) -> Result<Option<String>, LedgerError> {
        let (now, entity) = (self.clock.now(), erp.entity_of(&entry.deal));
        let lead_id = match (past, erp.marked_lead(&entry.deal)) {
            // The ERP has never seen the deal.
            (Past::FirstClaim | Past::NotSent, _) => return Ok(None),
            // The API checks everything before it stores anything, so there is no record. Where there is a marker one
            // more call makes sure of it, against refusals that we know nothing of.
            (Past::Refused, None) => return Ok(None),
            // By name and amount our record cannot be told from another one. Nothing is guessed.
            (Past::InDoubt(_), None) => {
                let reason = "an earlier attempt was sent, and what came of it is not known";
                return Err(LedgerError::unresolved(entry, reason, entity));
            }
            // Too early: the record may be about to appear.
            (Past::InDoubt(after), Some(_)) if now < after => {
                let reason = "what came of an earlier attempt is not known";
                return Err(LedgerError::in_doubt(entry, reason, after, now));
            }
            (Past::Refused | Past::InDoubt(_), Some(lead_id)) => lead_id,
        };
        match erp.find_by_marker(lead_id, entry.deal.entity_id).await {
            Ok(MarkerLookup::Absent) => Ok(None),
            Ok(MarkerLookup::Found(id)) => {
                tracing::info!(deal = entry.key, erp_id = id, "the record exists already");
                Ok(Some(id))
            }
            // The ERP skips a filter that it does not like, and shows other records. That ours is not among them proves
            // nothing, now or later.
            Ok(MarkerLookup::Untrusted(reason)) => {
                let reason = format!("the record cannot be looked up: {reason}");
                Err(LedgerError::unresolved(entry, reason, entity))
            }
            Err(error) => Err(LedgerError::NotLookedUp { deal: entry.name.clone(), error }),
        }
    }

    /// Sends the deal, once. An error comes with what it proves: how the claim is given back.
    async fn send(
        &self,
        erp: &ErpClient,
        entry: &Entry,
        begin: SendBy,
    ) -> Result<Created, (Release, LedgerError)> {
        match erp.insert(&entry.deal, begin).await {
            Ok(Insertion::Created { id, reply }) => {
                self.breaker.close(erp.entity_of(&entry.deal));
                Ok(self.done(entry, &id, reply, entry.values.as_deref(), false).await)
            }
            // The ERP itself keeps the marker unique, and holds a record that this call did not make: what that was given
            // is not known.
            Ok(Insertion::AlreadyExists { fields }) => {
                match erp.existing(&entry.deal, &fields).await {
                    Ok(id) => Ok(self.exists(entry, &id, None).await),
                    // This call made no record. Whose the other one is could not be found out.
                    Err(error) => Err((Release::Refused, LedgerError::not_created(entry, error))),
                }
            }
            // Timeouts, connections that broke, pages of servers in between: the record may be there or may still
            // appear. `sending` stays, and the minute begins now, when the call has ended.
            Ok(Insertion::Unknown { reason }) => {
                self.breaker.open();
                let (now, entity) = (self.clock.now(), erp.entity_of(&entry.deal));
                let after = now + RECORD_MAY_APPEAR;
                let error = match erp.marked_lead(&entry.deal) {
                    Some(_) => LedgerError::in_doubt(entry, reason, after, now),
                    None => LedgerError::unresolved(entry, reason, entity),
                };
                Err((Release::InDoubt(after), error))
            }
            // The ERP acted on the insert and said no. Sent again as it is, it is refused again.
            Err(error @ ErpError::Refused { .. }) => {
                Err((Release::Refused, LedgerError::not_created(entry, error)))
            }
            // The ERP never acted on it: the deal may be sent again at once.
            Err(error @ (ErpError::NoAccess { .. } | ErpError::Unavailable { .. })) => {
                Err((Release::NotSent, LedgerError::not_created(entry, error)))
            }
        }
    }

    /// Notes the record, whichever claim is the newest now: that it exists is true in any case. A record that was noted
    /// before is not overwritten: it is the one that later runs were given. Where the note fails the run succeeds all
    /// the same, and the row still says `sending`: the next one looks the record up.
    async fn done(
        &self,
        entry: &Entry,
        erp_id: &str,
        reply: Value,
        recorded: Option<&str>,
        duplicate: bool,
    ) -> Created {
        let deal = entry.key.as_str();
        let made = Made { erp_id, reply: &reply, recorded };
        match table::mark_done(&self.db, entry, made).await {
            Ok(Some(Noted { reported_at, attempts })) => {
                let lead = entry.lead_id;
                let waited_ms =
                    self.db.time().duration_since(reported_at).as_millis().max(0) as i64;
                tracing::info!(
                    deal,
                    lead,
                    erp_id,
                    duplicate,
                    attempts,
                    waited_ms,
                    "a deal has its record"
                );
            }
            Ok(None) => tracing::error!(deal, erp_id, "the deal had a record already"),
            Err(error) => tracing::error!(deal, erp_id, "a record could not be noted: {error:#}"),
        }
        Created { reply, duplicate }
    }

    /// Notes a record that this claim did not make.
    async fn exists(&self, entry: &Entry, erp_id: &str, recorded: Option<&str>) -> Created {
        self.done(entry, erp_id, reply_with_id(erp_id), recorded, true).await
    }

    /// Gives the claim back, with the reason. Where that fails, the lease ends it and the row stays `sending`: then a
    /// deal that was not sent is looked up for nothing.
    async fn give_back(&self, claim: &Claim, how: Release, error: LedgerError) -> LedgerError {
        let (text, waits_for) = (error.to_string(), error.waits_for());
        if let Err(problem) = table::release(&self.db, claim, how, &text, waits_for).await {
            tracing::error!(deal = claim.key, "why it failed could not be noted: {problem:#}");
        }
        error
    }
}

impl Erp for Ledger {
    async fn create(&self, deal: &Deal) -> ports::Result<Created> {
        let (ledger, owned) = (self.clone(), deal.clone());
        let work = async move { ledger.record(&owned).await };
        self.to_its_end(work, "creating", deal).await
    }

    async fn note_failure(&self, failure: &FailedDeal) -> ports::Result<()> {
        let (key, lead_id) = key::identity(&failure.key, self.rules.dedupe);
        let FailedDeal { run_id, waits_for, .. } = failure;
        let schedule = self.rules.schedule;
        let noted = table::note_failure(&self.db, &key, lead_id, failure, schedule).await;
        noted.map_err(ports::Error::again)?;
        let waits_for = waits_for.map_or("time", table::stored);
        // Without the reason, which may quote the deal: the row has it.
        if matches!(table::unfinished_deal(&self.db, &key).await, Ok(None)) {
            tracing::warn!(
                deal = key,
                lead = lead_id,
                run_id,
                waits_for,
                "a run has failed, and its deal has its record already or needs none"
            );
        } else {
            tracing::error!(
                deal = key,
                lead = lead_id,
                run_id,
                waits_for,
                "a run ended without a record: `prometei-flow deals` says why"
            );
        }
        Ok(())
    }

    async fn not_needed(&self, deal: &DealKey, reason: &str) -> ports::Result<()> {
        let (key, lead_id) = key::identity(deal, self.rules.dedupe);
        tracing::info!(deal = key, lead = lead_id, reason, "a deal needs no record");
        let ended = table::not_needed(&self.db, &key, lead_id, reason).await;
        ended.map_err(ports::Error::again)
    }

    async fn reading(&self, deal: &DealKey) -> ports::Result<Reading> {
        self.reading_of(deal).await
    }

    async fn compare(&self, deal: &Deal) -> ports::Result<Option<Compared>> {
        self.compare_record(deal).await
    }

    async fn update(&self, deal: &Deal) -> ports::Result<Option<Compared>> {
        let (ledger, owned) = (self.clone(), deal.clone());
        let work = async move { ledger.update_record(&owned).await };
        self.to_its_end(work, "updating the record of", deal).await
    }

    async fn gone(&self, deal: &DealKey, reading: Reading, deleted: bool) -> ports::Result<Gone> {
        self.note_gone(deal, reading, deleted).await
    }
}
