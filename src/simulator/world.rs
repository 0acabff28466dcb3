//! The world around the service: amoCRM, the ERP, Inngest and the database, each of which can be away, and what the script
//! and a person do.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use sandbox::{FakeAmoCrm, FakeAmoCrmSettings, FakeErp, FakeErpSettings};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::dice::Dice;
use super::inngest::{Effects, Inngest};
use super::script::{Act, Settings};
use super::seam::Fate;
use super::time::WorldClock;
use crate::db::{Db, Work};

/// The stage whose leads become deals.
pub(super) const STAGE: (u64, u64) = (9_679_730, 77_186_758);

pub(super) const AMOCRM: &str = "http://127.0.0.1:81";
pub(super) const ERP: &str = "http://127.0.0.1:82/api/rest.php";
pub(super) const INNGEST: &str = "http://127.0.0.1:83";
pub(super) const SERVICE: &str = "http://127.0.0.1:80";

/// Something that is due at a moment of the world.
#[derive(Debug, Clone)]
pub(super) enum Due {
    Act(Act),
    /// amoCRM sends a webhook, for the n-th time.
    Webhook {
        lead: u64,
        attempt: usize,
    },
    /// Inngest calls the service for a run.
    Call(String),
    /// The schedule of reconciliation.
    Tick,
    /// Records appear of which the ERP's caller has heard nothing.
    LateInsert,
    /// A person looks at what is not done.
    Look,
    /// The same, and again later.
    LookAgain,
    /// A person gives a consent.
    Consent,
    /// The same, unless it went well.
    ConsentAgain,
    /// A webhook that amoCRM waits no longer for.
    Unanswered {
        lead: u64,
        attempt: usize,
        number: u64,
    },
    /// amoCRM shows a lead again.
    Show(u64),
    /// A person has mended what the ERP refused.
    Mended,
    /// The ERP's user has its access back.
    Allowed,
    /// A failure is over.
    Stir,
    /// The service is started.
    Start,
    /// The end.
    Over,
}

/// What can be away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum System {
    Erp,
    AmoCrm,
    Inngest,
    Database,
}

/// What amoCRM knows of a lead.
#[derive(Debug, Default, Clone)]
pub(super) struct LeadFacts {
    /// Webhooks that were answered 200.
    pub(super) accepted: usize,
    /// Webhooks that may have been stored: all that were sent and not refused.
    pub(super) sent: usize,
}

pub(crate) struct World {
    pub(super) clock: Arc<WorldClock>,
    pub(super) settings: Settings,
    /// Tells its story while it happens.
    aloud: bool,
    pub(super) erp: FakeErp,
    pub(super) erp_app: Router,
    pub(super) amocrm: FakeAmoCrm,
    pub(super) amocrm_app: Router,
    /// Something happened for which the resender need not wait its longest pause.
    pub(super) stirred: Notify,
    pub(super) died: Notify,
    pub(super) more_is_due: Notify,
    pub(super) is_dead: AtomicBool,
    pub(super) state: Mutex<State>,
}

pub(super) struct State {
    pub(super) dice: Dice,
    pub(super) due: BTreeMap<(Duration, u64), Due>,
    numbers: u64,
    pub(super) inngest: Inngest,
    /// What is away, until when, and how.
    pub(super) away: BTreeMap<System, (Act, Duration)>,
    /// How many points the process has left to live.
    pub(super) points_left: Option<u64>,
    pub(super) is_up: bool,
    /// Calls of Inngest that are under way: run and number of the call.
    pub(super) calls: BTreeSet<(String, u32)>,
    pub(super) leads: BTreeMap<u64, LeadFacts>,
    pub(super) story: Vec<String>,
    pub(super) happened: BTreeMap<&'static str, usize>,
    pub(super) wrong: Vec<String>,
    /// The person's own connection.
    pub(super) person: super::person::Person,
    /// A consent is on its way.
    pub(super) consent_is_due: bool,
    /// Deals of `crm/create-deal` events: whether Inngest may have lost the event before anything failed.
    pub(super) created: BTreeMap<u64, bool>,
    /// Exchanges of tokens of whose outcome the service heard nothing.
    pub(super) unclear_exchanges: usize,
    pub(super) db: Option<Db>,
    /// Webhooks that amoCRM waits for an answer to.
    pub(super) unanswered: BTreeSet<u64>,
    /// Leads that amoCRM does not show.
    pub(super) hidden: BTreeSet<u64>,
    /// Something in the script needs a person.
    pub(super) may_need_a_person: bool,
    /// When the process was started last, its clock set, or its database there again.
    pub(super) disturbed: Duration,
    /// How long the process is away when it is killed.
    pub(super) down: Duration,
}

impl State {
    /// amoCRM sends a webhook. Returns its number.
    pub(super) fn sends_webhook(&mut self, lead: u64) -> u64 {
        if let Some(facts) = self.leads.get_mut(&lead) {
            facts.sent += 1;
        }
        self.numbers += 1;
        self.unanswered.insert(self.numbers);
        self.numbers
    }
}

impl World {
    pub(super) fn new(settings: Settings, dice: Dice, aloud: bool) -> Arc<Self> {
        let stop = CancellationToken::new();
        let (erp, erp_app) = FakeErp::without_listener(
            ERP.parse().unwrap(),
            stop.clone(),
            match settings.unique {
                true => FakeErpSettings::default().with_unique_marker(),
                false => FakeErpSettings::default(),
            },
        );
        let (amocrm, amocrm_app) = FakeAmoCrm::without_listener(
            AMOCRM.parse().unwrap(),
            stop,
            FakeAmoCrmSettings::default(),
        );
        let state = State {
            dice,
            due: BTreeMap::new(),
            numbers: 0,
            inngest: Inngest::default(),
            away: BTreeMap::new(),
            points_left: None,
            is_up: false,
            calls: BTreeSet::new(),
            leads: BTreeMap::new(),
            story: Vec::new(),
            happened: BTreeMap::new(),
            wrong: Vec::new(),
            person: super::person::Person::default(),
            consent_is_due: false,
            created: BTreeMap::new(),
            unclear_exchanges: 0,
            db: None,
            unanswered: BTreeSet::new(),
            hidden: BTreeSet::new(),
            may_need_a_person: false,
            disturbed: Duration::ZERO,
            down: Duration::from_secs(60),
        };
        Arc::new(Self {
            clock: Arc::new(WorldClock::new("2026-11-22T06:00:00Z".parse().unwrap())),
            settings,
            aloud,
            erp,
            erp_app,
            amocrm,
            amocrm_app,
            stirred: Notify::new(),
            died: Notify::new(),
            more_is_due: Notify::new(),
            is_dead: AtomicBool::new(false),
            state: Mutex::new(state),
        })
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes for the reader of the story what happens now.
    pub(super) fn tell(&self, line: impl AsRef<str>) {
        let line = self.stamped(line.as_ref());
        if self.aloud {
            println!("{line}");
        }
        self.state().story.push(line);
    }

    /// Something is not as it must be.
    pub(super) fn wrong(&self, line: impl AsRef<str>) {
        let line = self.stamped(&format!("WRONG: {}", line.as_ref()));
        if self.aloud {
            println!("{line}");
        }
        let mut state = self.state();
        state.story.push(line.clone());
        state.wrong.push(line);
    }

    fn stamped(&self, line: &str) -> String {
        let passed = self.clock.passed().as_secs();
        let (days, hours) = (passed / 86_400, passed / 3600 % 24);
        format!("day {days} {hours:02}:{:02}:{:02}  {line}", passed / 60 % 60, passed % 60)
    }

    /// Counts that a kind of failure has happened.
    pub(super) fn count(&self, kind: &'static str) {
        *self.state().happened.entry(kind).or_default() += 1;
    }

    pub(super) fn later(&self, wait: Duration, due: Due) {
        self.at(self.clock.passed() + wait, due);
    }

    pub(super) fn at(&self, moment: Duration, due: Due) {
        let mut state = self.state();
        state.numbers += 1;
        let number = state.numbers;
        state.due.insert((moment, number), due);
        drop(state);
        self.more_is_due.notify_one();
    }

    /// How and for how long a system is away.
    pub(super) fn away(&self, system: System) -> Option<(Act, Duration)> {
        let now = self.clock.passed();
        let away = self.state().away.get(&system).cloned();
        away.filter(|(_, until)| now < *until)
    }

    pub(super) fn roll(&self, from: u64, to: u64) -> u64 {
        self.state().dice.between(from, to)
    }

    pub(super) fn percent(&self, percent: u64) -> bool {
        self.state().dice.percent(percent)
    }

    /// What follows from something at Inngest.
    pub(super) fn follow(&self, effects: Effects) {
        for line in &effects.story {
            self.tell(line);
        }
        for (run, wait) in effects.calls {
            self.later(wait, Due::Call(run));
        }
        if effects.failed {
            self.stirred.notify_one();
        }
        if effects.starts_nothing {
            self.count("Inngest: event starts nothing");
        }
        if effects.nothing_heard {
            self.state().created.values_mut().for_each(|may_be_lost| *may_be_lost = true);
        }
    }

    /// The process ends, wherever it is.
    pub(super) fn kill(&self) {
        self.is_dead.store(true, Ordering::Relaxed);
        self.died.notify_one();
    }

    pub(super) fn revive(&self) {
        self.is_dead.store(false, Ordering::Relaxed);
        self.state().points_left = None;
    }

    pub(super) fn dies_here(&self) -> bool {
        if self.is_dead.load(Ordering::Relaxed) {
            return true;
        }
        let mut state = self.state();
        match &mut state.points_left {
            Some(0) => {}
            Some(left) => {
                *left -= 1;
                return false;
            }
            None => return false,
        }
        state.points_left = None;
        drop(state);
        self.tell("the process is killed at this point");
        self.count("killed at a point");
        self.kill();
        true
    }

    pub(super) fn fate_of(&self, work: Work) -> Fate {
        match self.away(System::Database) {
            Some((Act::DatabaseRefuses(_), _)) => {
                self.count("statement refused");
                Fate::Fails
            }
            Some((Act::DatabaseFallsSilent(_), until)) => {
                self.count("database silent");
                Fate::Waits(until)
            }
            Some((Act::CommitsFail(_), _)) if work == Work::Commit && self.percent(50) => {
                self.count("commit failed");
                Fate::Fails
            }
            Some((Act::CommitsLoseTheirAnswer(_), _))
                if work == Work::Commit && self.percent(50) =>
            {
                self.count("commit without its answer");
                Fate::RunsAndFails
            }
            _ => Fate::Runs,
        }
    }
}
