//! What the page shows of the whole.

use functions::ports::WaitsFor;
use jiff::{SignedDuration, Timestamp};

use super::Page;
use super::chart::{self, Flow};
use super::neighbours::{Health, Neighbour};
use crate::admin::Item;
use crate::deals::{self, DealState};
use crate::heartbeat::LoopAge;
use crate::inbox::InboxCounts;
use crate::trouble::Trouble;

/// The most deals that are shown, and that are shown on demand.
pub(super) const SHOWN: u32 = 50;
pub(super) const MOST: u32 = 2000;

/// Inngest usually has a webhook within a second.
const LONG: SignedDuration = SignedDuration::from_mins(2);

/// How things are.
pub(super) struct Overview {
    pub(super) now: Timestamp,
    pub(super) inbox: InboxCounts,
    pub(super) last_record: Option<Timestamp>,
    /// How many deals are where, and wait for what.
    pub(super) states: Vec<DealState>,
    /// Since when the flow is shown.
    pub(super) begin: Timestamp,
    pub(super) flow: Flow,
    /// Deals that are not done, those that need a person first.
    pub(super) items: Vec<Item>,
    /// Whether these are all.
    pub(super) complete: bool,
    pub(super) neighbours: Vec<Neighbour>,
    pub(super) loops: Vec<LoopAge>,
    /// How far behind the present reconciliation has read, in seconds.
    pub(super) behind: Option<i64>,
    /// How far the database's clock is ahead of this machine's, in seconds.
    pub(super) skew: Option<i64>,
}

impl Overview {
    /// With at most `limit` deals.
    pub(super) async fn of(page: &Page, limit: u32) -> anyhow::Result<Self> {
        let (admin, db) = (&page.admin, &page.admin.db);
        let now = db.time();
        let begin = chart::begin(now);
        let (neighbours, inbox, behind, last_record, states, webhooks, records) = tokio::join!(
            page.neighbours.look(),
            admin.inbox.counts(),
            admin.progress.behind(),
            deals::last_record(db),
            deals::states(db),
            admin.inbox.received_by_hour(begin),
            deals::recorded_by_hour(db, begin),
        );
        // After the counts, so that what the headline speaks of is in the list.
        let (items, complete) = Item::all(&admin.inbox, db, limit).await?;
        let flow = Flow {
            webhooks: chart::hours(begin, &webhooks?),
            records: chart::hours(begin, &records?),
        };
        Ok(Self {
            now,
            inbox: inbox?,
            last_record: last_record?,
            states: states?,
            begin,
            flow,
            items,
            complete,
            neighbours,
            loops: admin.heartbeats.ages(),
            behind: behind?.map(|behind| behind.as_secs()),
            skew: db.clock_skew().map(|skew| skew.as_secs()),
        })
    }

    /// Deals that have no record yet.
    pub(super) fn unfinished(&self) -> impl Iterator<Item = &DealState> + Clone {
        self.states.iter().filter(|it| !["done", "changed"].contains(&it.state))
    }

    /// How many of them a person has to do something about.
    pub(super) fn needing_person(&self) -> i64 {
        let yours = self.unfinished().filter(|it| it.waits_for == Some(WaitsFor::Person));
        yours.map(|it| it.deals).sum()
    }

    /// How many deals have their record.
    pub(super) fn done(&self) -> i64 {
        self.states.iter().filter(|it| it.state == "done").map(|it| it.deals).sum()
    }

    /// How many records a person has to look at: what waits for a system goes on by itself.
    pub(super) fn differing(&self) -> i64 {
        let changed = self.states.iter().filter(|it| it.state == "changed");
        let yours = changed.filter(|it| matches!(it.waits_for, None | Some(WaitsFor::Person)));
        yours.map(|it| it.deals).sum()
    }

    /// What keeps deals until a person gives consent in amoCRM.
    pub(super) fn needs_consent(&self) -> Option<&Trouble> {
        self.neighbours.iter().find_map(|neighbour| match &neighbour.health {
            Health::NeedsConsent(trouble) => Some(trouble),
            _ => None,
        })
    }

    /// The first system that does not work, with what is wrong.
    pub(super) fn failing(&self) -> Option<(&Neighbour, &Trouble)> {
        self.neighbours.iter().find_map(|neighbour| Some((neighbour, neighbour.trouble()?)))
    }

    /// Whether something lasts longer than it should.
    pub(super) fn is_late(&self) -> bool {
        let waits_long =
            self.inbox.oldest_waiting.is_some_and(|then| self.now.duration_since(then) > LONG);
        waits_long || self.loops.iter().any(|age| age.is_late)
    }

    /// Whether nothing has happened so far.
    pub(super) fn is_new(&self) -> bool {
        self.done() == 0 && self.unfinished().next().is_none() && self.inbox.newest_body.is_none()
    }
}
