use std::collections::BTreeSet;

use inngest::{Concurrency, Config, Context, Error, Result};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ports::{FeedWindow, LeadEvent, LeadFeed, Merge, ReconcileLog, Sight};

/// The most readings of pages in one run. Each is a step, a window adds two, and Inngest ends a run at 1,000 steps.
const SHARE: u32 = 200;

/// The most pages of one window, a thousand events: beyond that it is halved, so that little is read again when a run
/// is cut short.
const PAGES: u32 = 10;

/// The most leads that are looked at in one step. At five calls a second that is five seconds.
const LOOKS: usize = 25;

/// The event that starts a run outside the schedule.
pub const RECONCILE_NOW: &str = "prometei-flow/reconcile";

/// Every five minutes: a deal that its webhook lost is late by no more than that.
const SCHEDULE: &str = "*/5 * * * *";

/// Reads what happened in amoCRM and hands on the leads that no webhook reported.
///
/// amoCRM sends a pipeline's hook once and never again, so without this function a hook that is lost is a deal that is
/// lost. Nothing in the feed may stop it: an entry or a lead that cannot be read is passed over, a window that holds
/// too much is halved, and a run that has done its share leaves the rest to the next one.
pub struct ReconcileLeads<F, L> {
    /// amoCRM's record of what happened.
    pub feed: F,
    /// How far earlier runs have come, and which leads are known.
    pub log: L,
    /// The (pipeline, status) pairs that make a deal.
    pub stages: Vec<(u64, u64)>,
}

impl<F: LeadFeed, L: ReconcileLog> inngest::Function for ReconcileLeads<F, L> {
    type Event = ();
    type Output = Reconciled;
    type OnFailure = ();

    fn config() -> Config {
        Config::id("reconcile-leads")
            .name("reconcileLeads")
            .event(RECONCILE_NOW)
            .cron(SCHEDULE)
            .retries(3)
            // One at a time: two that read the same window would only do everything twice.
            .concurrency(Concurrency::limit(1))
    }

    async fn run(&self, cx: Context<'_, Self>) -> Result<Reconciled> {
        let step = cx.step;
        let mut next = step.run("choose-window", async || Ok(self.log.begin().await?)).await?;
        let mut done = Reconciled { finished: true, ..Reconciled::default() };
        // A busy hour is seldom followed by a quiet one: what has fitted is tried next, and more where there was room.
        let (mut share, mut seconds) = (SHARE, next.as_ref().map_or(0, FeedWindow::seconds));
        while let Some(stretch) = next {
            let planned = stretch.seconds().min(seconds);
            let mut window =
                if planned < stretch.seconds() { stretch.first(planned) } else { stretch };
            match self.read_through(&mut window, &mut share, &mut done, &cx).await {
                Ok(End::Reached) => {}
                Ok(End::ShareUsed) => {
                    step.run("leave-off", async || Ok(self.log.leave_off(&window).await?)).await?;
                    done.finished = false;
                    break;
                }
                Err(error) => {
                    // amoCRM answers a question that is too large with errors, too: the next run asks a smaller one.
                    let smaller = window.halved();
                    step.run("leave-off", async || Ok(self.log.leave_off(&smaller).await?)).await?;
                    return Err(error);
                }
            }
            let fitted = window.seconds();
            if fitted < planned {
                seconds = fitted;
            } else if window.page <= PAGES / 2 {
                seconds = seconds.max(fitted.saturating_mul(2));
            }
            done.from = done.from.or(Some(window.from));
            done.to = Some(window.to);
            let advance = async || Ok(self.log.advance(&window).await?);
            next = step.run("advance-cursor", advance).await?;
        }
        Ok(done)
    }
}

impl<F: LeadFeed, L: ReconcileLog> ReconcileLeads<F, L> {
    /// Reads `window` from its page on; it is shorter afterwards where it held too much.
    async fn read_through(
        &self,
        window: &mut FeedWindow,
        share: &mut u32,
        done: &mut Reconciled,
        cx: &Context<'_, Self>,
    ) -> Result<End> {
        // Leads of the page that were looked at without success.
        let mut unsettled = BTreeSet::new();
        loop {
            if *share == 0 {
                return Ok(End::ShareUsed);
            }
            *share -= 1;
            let read =
                cx.step.run("read-events", async || self.read(window, &unsettled).await).await?;
            done.missed.extend(&read.missed);
            if read.again {
                unsettled.extend(read.unsettled);
                continue;
            }
            done.events += read.events;
            unsettled.clear();
            if !read.more {
                return Ok(End::Reached);
            }
            // Within one second there is nothing to halve: its pages are read to the last.
            if window.page >= PAGES && window.seconds() > 1 {
                *window = window.halved();
            } else {
                window.page += 1;
            }
        }
    }

    /// One page. What entered one of our stages without a webhook is handed on before this returns, so that it is safe
    /// whatever becomes of the next page.
    async fn read(&self, window: &FeedWindow, unsettled: &BTreeSet<u64>) -> Result<ReadPage> {
        let page = self.feed.page(window, window.page).await?;
        let events = page.events.len() + page.changes.len() + page.merges.len();
        self.log.changed(&page.changes).await?;
        let ours = |event: &LeadEvent| event.stage.is_none_or(|stage| self.stages.contains(&stage));
        let candidates = page.events.into_iter().filter(ours).collect();
        // Only a change of status says which stage the lead entered. The others are looked at.
        let (mut missed, mut unseen): (Vec<_>, Vec<_>) =
            self.log.news(candidates).await?.into_iter().partition(|event| event.stage.is_some());
        unseen.retain(|event| !unsettled.contains(&event.lead_id));
        let again = unseen.len() > LOOKS;
        unseen.truncate(LOOKS);
        let mut looked = self.look_at(unseen, window.sweep).await;
        missed.extend(looked.missed);
        self.log.report(&missed).await?;
        self.log.dismiss(&looked.dismissed).await?;
        if let Some(error) = looked.error {
            return Err(error);
        }
        let joined = self.join(page.merges, unsettled, window.sweep).await?;
        let again = again || joined.again;
        let missed: BTreeSet<_> = missed.iter().map(|event| event.lead_id).collect();
        looked.unsettled.extend(joined.unsettled);
        Ok(ReadPage { events, missed, unsettled: looked.unsettled, again, more: page.more })
    }

    /// Finds out of each merge which of its leads has stayed, and gives it what the others had.
    async fn join(
        &self,
        merges: Vec<Merge>,
        unsettled: &BTreeSet<u64>,
        sweep: bool,
    ) -> Result<Joined> {
        let (mut joined, mut looks) = (Joined::default(), 0);
        for merge in self.log.merges(merges).await? {
            if unsettled.contains(&merge.event.lead_id) {
                continue;
            }
            looks += merge.leads.len();
            if looks > LOOKS && looks > merge.leads.len() {
                joined.again = true;
                break;
            }
            let (mut shown, mut gone, mut unclear) = (Vec::new(), Vec::new(), false);
            for lead in &merge.leads {
                match self.feed.look(*lead).await? {
                    Sight::In(_) => shown.push(*lead),
                    Sight::Absent => gone.push(*lead),
                    Sight::Unclear => unclear = true,
                }
            }
            let event = std::slice::from_ref(&merge.event);
            match (shown.as_slice(), gone.as_slice()) {
                ([survivor], [_, ..]) if !unclear => {
                    self.log.merged(&merge, *survivor, &gone).await?;
                }
                // A lead alone: whether it is the one that stays shows when it is compared with its record.
                ([_], []) | ([], [_]) if !unclear && merge.leads.len() == 1 => {
                    self.log.changed(event).await?;
                    self.log.dismiss(event).await?;
                }
                // All were deleted since, which is reported by itself.
                ([], _) if !unclear => self.log.dismiss(event).await?,
                // amoCRM may show a lead for a while that is gone. The daily look back asks once more.
                _ if sweep => self.log.dismiss(event).await?,
                _ => joined.unsettled.push(merge.event.lead_id),
            }
        }
        Ok(joined)
    }

    /// Where the leads of `events` are, up to the first error.
    async fn look_at(&self, events: Vec<LeadEvent>, sweep: bool) -> Looked {
        let mut looked = Looked::default();
        for mut event in events {
            let lead = event.lead_id;
            match self.feed.look(lead).await {
                Ok(Sight::In(stage)) if self.stages.contains(&stage) => {
                    event.stage = Some(stage);
                    looked.missed.push(event);
                }
                Ok(Sight::In(_)) => looked.dismissed.push(event),
                // It may appear: amoCRM shows a lead late, or once it is accepted out of "unsorted". The daily look
                // back asks for it once more.
                Ok(Sight::Absent) if sweep => looked.dismissed.push(event),
                Ok(Sight::Absent) => looked.unsettled.push(lead),
                // The function that it is handed to, without a stage, reads the lead itself, for longer, and decides.
                Ok(Sight::Unclear) => looked.missed.push(event),
                Err(error) => {
                    looked.error = Some(error.into());
                    break;
                }
            }
        }
        looked
    }
}

/// How reading a window has ended.
enum End {
    /// It was read to its end.
    Reached,
    /// The run has done its share.
    ShareUsed,
}

/// What came of the merges of a page.
#[derive(Default)]
struct Joined {
    /// Leads to be looked at again another time.
    unsettled: Vec<u64>,
    /// There are more.
    again: bool,
}

/// What was seen of leads.
#[derive(Default)]
struct Looked {
    /// In one of our stages, or not to be read here.
    missed: Vec<LeadEvent>,
    /// Of no concern.
    dismissed: Vec<LeadEvent>,
    /// Leads to be looked at again another time.
    unsettled: Vec<u64>,
    /// Why the leads after these could not be looked at.
    error: Option<Error>,
}

/// What the step `read-events` saves.
#[derive(Serialize, Deserialize)]
struct ReadPage {
    events: usize,
    missed: BTreeSet<u64>,
    unsettled: Vec<u64>,
    /// The page has more leads to look at.
    again: bool,
    more: bool,
}

/// The result of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Reconciled {
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    events: usize,
    missed: Vec<u64>,
    /// False when there is more to read, which the next run does.
    finished: bool,
}
