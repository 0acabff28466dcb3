//! Reconciliation over a feed of any size, which may be hard to read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use functions::ReconcileLeads;
use functions::ports::{
    Error, FeedPage, FeedWindow, LeadEvent, LeadFeed, Merge, ReconcileLog, Result, Sight,
};
use functions::webhook::Action;
use inngest::testing::{Finished, run};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

const OURS: (u64, u64) = (9, 142);
const OTHER: (u64, u64) = (9, 143);
const PAGE: usize = 100;

/// Seconds after the beginning.
fn at(second: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second)
}

fn moved(lead_id: u64, second: i64) -> LeadEvent {
    let (id, action) = (format!("event-{lead_id}"), Action::Status);
    LeadEvent { id, action, lead_id, account_id: None, at: at(second), stage: Some(OURS) }
}

fn added(lead_id: u64, second: i64) -> LeadEvent {
    LeadEvent { action: Action::Add, stage: None, ..moved(lead_id, second) }
}

/// Many events, of which every hundredth is of our stage, and the leads of those.
fn busy(events: u64, second: impl Fn(u64) -> i64) -> (Vec<LeadEvent>, Vec<u64>) {
    let event = |n| {
        let stage = Some(if n % 100 == 0 { OURS } else { OTHER });
        LeadEvent { stage, ..moved(n, second(n)) }
    };
    let ours = (1..=events).filter(|n| n % 100 == 0);
    ((1..=events).map(event).collect(), ours.collect())
}

/// An account in which this has happened, and what was done about it.
#[derive(Clone, Default)]
struct Account(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// The feed, newest first.
    events: Vec<LeadEvent>,
    /// A window with more events than this is answered with an error.
    largest: Option<usize>,
    /// This page is answered with an error, always.
    broken_page: Option<u32>,
    sights: BTreeMap<u64, Sight>,
    /// Everything up to this second was read.
    read_to: i64,
    /// Up to this second there is something to read.
    until: i64,
    half_read: Option<FeedWindow>,
    settled: BTreeSet<String>,
    /// On the first page.
    merges: Vec<Merge>,
    reported: Vec<u64>,
    /// What was done, in order.
    calls: Vec<String>,
}

impl Account {
    /// Two days, in which these things happened.
    fn with(mut events: Vec<LeadEvent>) -> Self {
        events.sort_by_key(|event| std::cmp::Reverse(event.at));
        let until = 48 * 3600;
        Self(Arc::new(Mutex::new(State { events, until, ..State::default() })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    fn reported(&self) -> Vec<u64> {
        let mut reported = self.state().reported.clone();
        reported.sort_unstable();
        reported
    }

    async fn reconcile(&self) -> Finished {
        let function = ReconcileLeads { feed: self.clone(), log: self.clone(), stages: vec![OURS] };
        run(function).event(json!({})).await
    }

    /// Reconciles until a run has nothing left to do. Returns how many runs that took.
    async fn catch_up(&self) -> usize {
        let mut runs = 0;
        loop {
            runs += 1;
            assert!(runs < 50, "it does not come to an end");
            let done = self.reconcile().await;
            assert!(done.steps().len() < 500, "{} steps", done.steps().len());
            if done.output().unwrap()["finished"] == true {
                return runs;
            }
        }
    }
}

impl LeadFeed for Account {
    async fn page(&self, window: &FeedWindow, page: u32) -> Result<FeedPage> {
        assert!(page <= 10 || window.from == window.to, "what is too much is halved");
        let mut state = self.state();
        state.calls.push(format!("page {page}"));
        let newer = state.events.partition_point(|event| event.at > window.to);
        let events = &state.events[newer..];
        let events = &events[..events.partition_point(|event| event.at >= window.from)];
        if state.largest.is_some_and(|largest| events.len() > largest)
            || state.broken_page == Some(page)
        {
            return Err(Error::again("HTTP 504"));
        }
        let start = (usize::try_from(page).unwrap() - 1) * PAGE;
        let shown = events.iter().skip(start).take(PAGE).cloned();
        let (changes, events): (Vec<_>, Vec<_>) =
            shown.partition(|event: &LeadEvent| !event.action.makes_deal());
        let merges = if page == 1 { state.merges.clone() } else { Vec::new() };
        let more = newer + start + PAGE < state.events.len()
            && state.events[newer + start + PAGE].at >= window.from;
        Ok(FeedPage { events, changes, merges, more })
    }

    async fn look(&self, lead_id: u64) -> Result<Sight> {
        let mut state = self.state();
        state.calls.push(format!("look {lead_id}"));
        Ok(state.sights.get(&lead_id).cloned().unwrap_or(Sight::Absent))
    }
}

impl ReconcileLog for Account {
    async fn begin(&self) -> Result<Option<FeedWindow>> {
        let state = self.state();
        let next = state.next();
        Ok(state.half_read.clone().or(next))
    }

    async fn news(&self, events: Vec<LeadEvent>) -> Result<Vec<LeadEvent>> {
        let state = self.state();
        Ok(events.into_iter().filter(|event| !state.settled.contains(&event.id)).collect())
    }

    async fn report(&self, leads: &[LeadEvent]) -> Result<()> {
        let mut state = self.state();
        if !leads.is_empty() {
            state.calls.push(format!("report {}", leads.len()));
        }
        state.reported.extend(leads.iter().map(|lead| lead.lead_id));
        state.settled.extend(leads.iter().map(|lead| lead.id.clone()));
        Ok(())
    }

    async fn changed(&self, events: &[LeadEvent]) -> Result<()> {
        let mut state = self.state();
        let changes = events.iter().map(|event| format!("changed {}", event.lead_id));
        state.calls.extend(changes);
        Ok(())
    }

    async fn merges(&self, merges: Vec<Merge>) -> Result<Vec<Merge>> {
        let state = self.state();
        let unsettled = |merge: &Merge| !state.settled.contains(&merge.event.id);
        Ok(merges.into_iter().filter(unsettled).collect())
    }

    async fn merged(&self, merge: &Merge, survivor: u64, gone: &[u64]) -> Result<()> {
        let mut state = self.state();
        state.calls.push(format!("{gone:?} became {survivor}"));
        state.settled.insert(merge.event.id.clone());
        Ok(())
    }

    async fn dismiss(&self, events: &[LeadEvent]) -> Result<()> {
        self.state().settled.extend(events.iter().map(|event| event.id.clone()));
        Ok(())
    }

    async fn advance(&self, window: &FeedWindow) -> Result<Option<FeedWindow>> {
        let mut state = self.state();
        assert_eq!(window.from, at(state.read_to), "no second is left out");
        state.read_to = window.to.as_second() + 1;
        state.half_read = None;
        Ok(state.next())
    }

    async fn leave_off(&self, window: &FeedWindow) -> Result<()> {
        self.state().half_read = Some(window.clone());
        Ok(())
    }
}

impl State {
    fn next(&self) -> Option<FeedWindow> {
        let (from, to) = (at(self.read_to), at(self.until));
        let window = FeedWindow { from, to, page: 1, sweep: false, begun: to };
        (from <= to).then_some(window)
    }
}

#[tokio::test]
async fn what_a_page_shows_is_handed_on_before_the_next_page_is_read() {
    let account = Account::with((1..=250).map(|lead| moved(lead, 1000)).collect());
    account.reconcile().await;
    let expected = ["page 1", "report 100", "page 2", "report 100", "page 3", "report 50"];
    assert_eq!(account.state().calls, expected);
}

#[tokio::test]
async fn what_was_found_before_a_page_that_cannot_be_read_is_handed_on() {
    let account = Account::with((1..=250).map(|lead| moved(lead, 1000)).collect());
    account.state().broken_page = Some(2);
    assert!(account.reconcile().await.error().is_some());
    assert_eq!(account.reported().len(), 100);
    account.state().broken_page = None;
    account.catch_up().await;
    assert_eq!(account.reported(), (1..=250).collect::<Vec<_>>(), "each once");
}

#[tokio::test]
async fn two_days_with_far_more_events_than_a_run_can_read_are_worked_off() {
    // Half of them in one hour: a mass action.
    let second = |n: u64| i64::try_from(if n % 200 < 100 { n * 4 } else { 80_000 + n / 12 });
    let (events, ours) = busy(40_000, |n| second(n).unwrap());
    let account = Account::with(events);
    let runs = account.catch_up().await;
    assert_eq!(account.reported(), ours, "each once");
    // Halving reads some pages twice; more than that twice would be waste.
    assert!(runs <= 4, "{runs} runs");
}

#[tokio::test]
async fn a_second_with_more_events_than_a_run_can_read_is_worked_off_page_by_page() {
    let (events, ours) = busy(25_000, |_| 1000);
    let account = Account::with(events);
    let runs = account.catch_up().await;
    assert_eq!(account.reported(), ours, "each once");
    assert!(runs <= 3, "{runs} runs");
}

#[tokio::test]
async fn a_window_that_amocrm_cannot_answer_is_halved_by_the_next_runs() {
    let account = Account::with(
        (1..=64).map(|lead| moved(lead, 1000 * i64::try_from(lead).unwrap())).collect(),
    );
    account.state().largest = Some(16);
    let mut failed = 0;
    while account.reconcile().await.error().is_some() {
        failed += 1;
        assert!(failed < 20);
    }
    account.catch_up().await;
    assert_eq!(account.reported(), (1..=64).collect::<Vec<_>>());
}

#[tokio::test]
async fn many_leads_on_one_page_are_looked_at_in_several_steps_each_once() {
    let account = Account::with((1..=90).map(|lead| added(lead, 1000)).collect());
    for lead in 1..=30 {
        account.state().sights.insert(lead, Sight::In(OURS));
        account.state().sights.insert(30 + lead, Sight::In(OTHER));
    }
    let done = account.reconcile().await;
    assert_eq!(account.reported(), (1..=30).collect::<Vec<_>>());
    let looks = |account: &Account| {
        let state = account.state();
        state.calls.iter().filter(|call| call.starts_with("look")).count()
    };
    assert_eq!(looks(&account), 90, "{:?}", done.step_ids());
    assert_eq!(done.step_ids().iter().filter(|step| step.starts_with("read-events")).count(), 4);
    account.state().read_to = 0;
    account.reconcile().await;
    assert_eq!(looks(&account), 120, "the absent ones may appear, the others are settled");
}

#[tokio::test]
async fn a_lead_whose_stage_is_not_to_be_learned_is_handed_on() {
    let account = Account::with(vec![added(1, 1000)]);
    account.state().sights.insert(1, Sight::Unclear);
    account.reconcile().await;
    assert_eq!(account.reported(), [1]);
}

fn merge<const N: usize>(leads: [u64; N]) -> Merge {
    let event = LeadEvent { action: Action::Update, stage: None, ..moved(leads[0], 1000) };
    let event = LeadEvent { id: format!("merge-{}", leads[0]), ..event };
    Merge { event, leads: leads.into() }
}

impl State {
    fn shows(&mut self, leads: &[u64]) {
        self.sights.extend(leads.iter().map(|lead| (*lead, Sight::In(OTHER))));
    }

    /// What was done besides reading.
    fn done(&self) -> Vec<&str> {
        let calls = self.calls.iter().map(String::as_str);
        calls.filter(|call| !call.starts_with("page") && !call.starts_with("look")).collect()
    }
}

#[tokio::test]
async fn of_leads_that_became_one_the_one_that_amocrm_shows_has_stayed() {
    // Whichever of them the event calls by name.
    for leads in [[1, 2], [2, 1]] {
        let account = Account::with(Vec::new());
        account.state().merges = vec![merge(leads)];
        account.state().shows(&[2]);
        account.catch_up().await;
        account.catch_up().await;
        assert_eq!(account.state().done(), ["[1] became 2"], "once");
    }
}

#[tokio::test]
async fn a_merge_of_which_amocrm_shows_too_much_or_nothing_moves_no_record() {
    for (shown, settled) in [(vec![1, 2], false), (vec![], true)] {
        let account = Account::with(Vec::new());
        account.state().merges = vec![merge([1, 2])];
        account.state().shows(&shown);
        account.catch_up().await;
        assert!(account.state().done().is_empty(), "{shown:?}");
        assert_eq!(account.state().settled.contains("merge-1"), settled, "{shown:?}");
    }
    let account = Account::with(Vec::new());
    account.state().merges = vec![merge([1])];
    account.catch_up().await;
    assert_eq!(account.state().done(), ["changed 1"], "it names no other: the lead is looked at");
}

#[tokio::test]
async fn many_merges_are_looked_at_a_few_at_a_time() {
    let account = Account::with(Vec::new());
    account.state().merges = (1..=60).map(|lead| merge([lead, 1000 + lead])).collect();
    account.state().shows(&(1..=60).collect::<Vec<_>>());
    let done = account.reconcile().await;
    assert_eq!(account.state().done().len(), 60);
    assert!(done.steps().len() > 5, "{} steps", done.steps().len());
}

#[tokio::test]
async fn changes_are_noted_whatever_stage_they_name() {
    let edited = LeadEvent { action: Action::Update, stage: Some(OTHER), ..moved(7, 1000) };
    let account = Account::with(vec![edited, moved(8, 1001)]);
    account.catch_up().await;
    assert_eq!(account.state().done(), ["changed 7", "report 1"]);
}
