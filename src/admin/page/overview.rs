//! What the page shows of the whole.

use jiff::Timestamp;

use super::Page;
use super::neighbours::Neighbour;
use crate::admin::Item;
use crate::deals::{self, DealCounts};
use crate::heartbeat::LoopAge;
use crate::inbox::InboxCounts;

/// The most deals that are shown.
pub(super) const SHOWN: u32 = 100;

/// How things are.
pub(super) struct Overview {
    pub(super) now: Timestamp,
    pub(super) inbox: InboxCounts,
    pub(super) deals: DealCounts,
    /// Deals that are not done, those that need a person first.
    pub(super) items: Vec<Item>,
    pub(super) neighbours: Vec<Neighbour>,
    pub(super) loops: Vec<LoopAge>,
    /// How far behind the present reconciliation has read, in seconds.
    pub(super) behind: Option<i64>,
    /// How far the database's clock is ahead of this machine's, in seconds.
    pub(super) skew: Option<i64>,
}

impl Overview {
    pub(super) async fn of(page: &Page) -> anyhow::Result<Self> {
        let admin = &page.admin;
        let (neighbours, inbox, counts, items, behind) = tokio::join!(
            page.neighbours.look(),
            admin.inbox.counts(),
            deals::counts(&admin.db),
            Item::all(&admin.inbox, &admin.db, SHOWN),
            admin.progress.behind(),
        );
        Ok(Self {
            now: admin.db.time(),
            inbox: inbox?,
            deals: counts?,
            items: items?.0,
            neighbours,
            loops: admin.heartbeats.ages(),
            behind: behind?.map(|behind| behind.as_secs()),
            skew: admin.db.clock_skew().map(|skew| skew.as_secs()),
        })
    }

    /// How many deals a person has to look at.
    pub(super) fn needing_person(&self) -> i64 {
        self.deals.needs_person + self.deals.differing
    }

    /// Whether nothing needs a person and everything works.
    pub(super) fn is_well(&self) -> bool {
        self.needing_person() == 0
            && self.neighbours.iter().all(|neighbour| neighbour.problem.is_none())
            && self.loops.iter().all(|age| !age.is_late)
    }
}
