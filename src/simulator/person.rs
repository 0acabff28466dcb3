//! The script's person, who looks at what is not done now and then, and does what the list says that only a person can do:
//! looks into the ERP for a deal in doubt, sends a deal again whose cause is mended, gives a consent. It holds the list to
//! its word: what it says must have been true.

use std::collections::BTreeSet;
use std::time::Duration;

use functions::ports::WaitsFor;
use jiff::{SignedDuration, Timestamp};

use super::judge::records_of;
use super::script::Act;
use super::seam::by_hand;
use super::world::{Due, System, World};
use crate::clock::Clock;
use crate::db::Db;
use crate::deals::{self, Progress, Resolution, UnfinishedDeal, Which};

/// A person does not look into the ERP at once: a record may still appear.
const LOOKS_AFTER: Duration = Duration::from_secs(5 * 60);

/// Something that is due happens within this time: the longest pause of the resender here, and a little more.
const LATEST: Duration = Duration::from_secs(45 * 60);

/// What the list said last.
#[derive(Default)]
pub(super) struct Person {
    /// Deals that were said to need a person.
    needed: BTreeSet<String>,
    /// What was done, for the story and the judge.
    pub(super) decisions: usize,
}

impl World {
    /// The person looks.
    pub(super) fn look(&self) {
        if self.away(System::Database).is_some() {
            return;
        }
        let Some(db) = self.state().db.clone() else { return };
        let listed = match by_hand(deals::unfinished(&db, 500)) {
            Ok(listed) => listed,
            Err(error) => return self.wrong(format!("the list cannot be read: {error:#}")),
        };
        self.hold_to_its_word(&db, &listed);
        for deal in &listed {
            match deal.waits_for {
                Some(WaitsFor::Person) => self.attend(&db, deal),
                Some(WaitsFor::Consent) => self.consent_is_wanted(),
                _ => {}
            }
        }
    }

    /// What the list said last must have been true, and what it says now must be.
    fn hold_to_its_word(&self, db: &Db, listed: &[UnfinishedDeal]) {
        for key in std::mem::take(&mut self.state().person.needed) {
            // Where it is still listed and needs nothing any more, it was reported anew: that is a new try.
            if !listed.iter().any(|deal| deal.key == key) {
                self.wrong(format!("{key} needed a person, and went by itself"));
            }
        }
        let needs_person = |deal: &&UnfinishedDeal| deal.waits_for == Some(WaitsFor::Person);
        self.state().person.needed =
            listed.iter().filter(needs_person).map(|deal| deal.key.clone()).collect();
        let queued = "SELECT COALESCE(deal_key, '') FROM inbox";
        let queued: Vec<(String,)> = by_hand(db.fetch(sqlx::query_as(queued))).unwrap();
        for deal in listed.iter().filter(|deal| !needs_person(deal)) {
            if deal.due_at.is_none() && !queued.iter().any(|(key,)| *key == deal.key) {
                self.wrong(format!("{deal:?} goes on by itself, as the list says; it never will"));
            }
            if deal.waits_for.is_none() && deal.due_at.is_some_and(|due| self.should_be_over(due)) {
                self.wrong(format!("{deal:?} is long due, and nothing has happened"));
            }
        }
        for (key, record) in by_hand(super::judge::done(db)) {
            if !self.erp.rows().iter().any(|row| row.id.to_string() == record) {
                self.wrong(format!("{key} is done, and the ERP has no record {record}"));
            }
        }
    }

    /// Whether what was due at `due` must have happened by now: the service was there for long enough.
    fn should_be_over(&self, due: Timestamp) -> bool {
        let state = self.state();
        let undisturbed = self.clock.passed().saturating_sub(state.disturbed);
        state.is_up
            && undisturbed > LATEST
            && Clock::now(&*self.clock).duration_since(due)
                > SignedDuration::try_from(LATEST).unwrap_or(SignedDuration::MAX)
    }

    /// Does what a deal needs of a person.
    fn attend(&self, db: &Db, deal: &UnfinishedDeal) {
        let key = Which::Key(deal.key.clone());
        let reason = deal.reason.clone().unwrap_or_default();
        let waited = Clock::now(&*self.clock).duration_since(deal.updated_at);
        match deal.progress {
            Progress::InDoubt => {
                if self.settings.marker && !self.settings.by_event && deal.lead_id.is_some() {
                    let text =
                        format!("{} is in doubt although it has a marker: {reason}", deal.key);
                    self.wrong(text);
                }
                if Duration::try_from(waited).unwrap_or_default() < LOOKS_AFTER {
                    return self.later(LOOKS_AFTER, Due::Look);
                }
                let found = self.look_into_the_erp(db, deal);
                self.tell(format!("a person looks for {} in the ERP: {found:?}", deal.key));
                self.decide(db, &deal.key, async |transaction, now| {
                    deals::resolve(transaction, &key, &found, now).await
                });
            }
            _ => {
                let mended = !matches!(self.away(System::Erp), Some((Act::ErpRefuses(_), _)));
                let hidden =
                    deal.lead_id.is_some_and(|lead| self.state().hidden.contains(&(lead as u64)));
                let expected = self.state().may_need_a_person;
                if !expected {
                    self.wrong(format!(
                        "{} needs a person although nothing does: {reason}",
                        deal.key
                    ));
                }
                if mended && !hidden {
                    self.tell(format!("a person retries {}: {reason}", deal.key));
                    self.decide(db, &deal.key, async |transaction, now| {
                        deals::retry(transaction, &key, now).await
                    });
                }
            }
        }
    }

    fn decide(
        &self,
        db: &Db,
        key: &str,
        decision: impl AsyncFnOnce(&mut crate::db::Transaction, i64) -> anyhow::Result<Vec<String>>,
    ) {
        let decided = by_hand(async {
            let mut transaction = db.begin().await?;
            let keys = decision(&mut transaction, db.now()).await?;
            transaction.commit().await?;
            anyhow::Ok(keys)
        });
        match decided {
            Ok(keys) if keys == [key.to_owned()] => {
                let mut state = self.state();
                state.person.needed.remove(key);
                state.person.decisions += 1;
                drop(state);
                self.stirred.notify_one();
            }
            Ok(keys) => self.tell(format!("the decision changed {keys:?}")),
            Err(error) => self.wrong(format!("a person's decision failed: {error:#}")),
        }
    }

    /// The record that the deal has, of which the ledger does not know.
    fn look_into_the_erp(&self, db: &Db, deal: &UnfinishedDeal) -> Resolution {
        let name = match (deal.lead_id, deal.key.strip_prefix("run:")) {
            (Some(lead), _) => super::process::name_of_lead(lead as u64),
            (None, _) => deal.reason.as_deref().and_then(quoted).unwrap_or_default().to_owned(),
        };
        let known = by_hand(super::judge::known_records(db));
        let unknown = records_of(&self.erp, &name).into_iter().find(|id| !known.contains(id));
        unknown.map_or(Resolution::Absent, Resolution::Exists)
    }

    pub(super) fn consent_is_wanted(&self) {
        let mut state = self.state();
        if !state.consent_is_due {
            state.consent_is_due = true;
            drop(state);
            self.tell("a person sees that a consent is wanted");
            self.later(Duration::from_secs(30 * 60), Due::Consent);
        }
    }
}

/// The first text in quotation marks.
fn quoted(text: &str) -> Option<&str> {
    text.split('"').nth(1)
}
