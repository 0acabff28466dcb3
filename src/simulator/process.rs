//! The service in its world, from one start of its process to the next.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use http::{Request, StatusCode};
use sandbox::webhook_of;
use serde_json::json;
use tokio::runtime::Builder;
use tokio_util::sync::CancellationToken;

use super::inngest::{Answered, Effects};
use super::outside::in_process;
use super::script::{Act, Hook};
use super::seam::{at_once, enter};
use super::world::{AMOCRM, Due, ERP, INNGEST, SERVICE, STAGE, System, World};
use crate::app::App;
use crate::clock::SharedClock;
use crate::config::{Config, EnvMap};
use crate::db::Db;
use crate::inbox::{Pace, purge_daily};
use crate::registration;
use crate::resender::{Resender, Systems};

/// amoCRM's attempts for one webhook, and how long it waits for an answer.
const REPEATS: [Duration; 5] = [
    Duration::ZERO,
    Duration::from_secs(5 * 60),
    Duration::from_secs(15 * 60),
    Duration::from_secs(15 * 60),
    Duration::from_secs(60 * 60),
];
const WEBHOOK_PATIENCE: Duration = Duration::from_secs(2);

/// How often Inngest's schedule fires here. Every five minutes, as the function asks for, would only cost time.
const TICK: Duration = Duration::from_secs(110 * 60);

/// The pauses of the resender here. In the long run nothing changes, and it need not look every 15 s.
const RESENDER: (Duration, Duration) = (Duration::from_secs(15), Duration::from_secs(40 * 60));

/// A restart of Inngest that takes no longer is not noticed.
const RESTART: Duration = Duration::from_secs(60);

/// How long after its last failure a world goes on: the longest pause of a resend, and what follows from it.
pub(super) const CALM: Duration = Duration::from_secs(15 * 60 * 60);

pub(super) fn name_of_lead(lead: u64) -> String {
    format!("Сделка {lead}")
}

pub(super) fn name_of_deal(deal: u64) -> String {
    format!("Заказ {deal}")
}

/// Why a process has ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// It was killed, and is started again after this time.
    Killed(Duration),
    /// The world is over.
    Over,
}

/// Lets a world happen, from its beginning to its end.
pub(super) fn live(world: &Arc<World>, folder: &std::path::Path) {
    let _world = enter(world);
    let config = config(world, folder);
    loop {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = runtime.unwrap();
        let end = runtime.block_on(async {
            world.clock.begins();
            let end = process(world, &config).await;
            if end == End::Over {
                world.judge();
            }
            world.clock.ends();
            end
        });
        {
            let _context = runtime.enter();
            world.is_dead.store(true, Ordering::Relaxed);
        }
        drop(runtime);
        world.revive();
        match end {
            End::Killed(down) => world.goes_down(down),
            End::Over => return,
        }
    }
}

fn config(world: &World, folder: &std::path::Path) -> Config {
    let amocrm = sandbox::FakeAmoCrmSettings::default();
    let erp = sandbox::FakeErpSettings::default();
    let database = format!("sqlite://{}/flow.db", folder.display());
    let stage = format!("{}:{}", STAGE.0, STAGE.1);
    let mut env: Vec<(&str, &str)> = vec![
        ("INNGEST_DEV", INNGEST),
        ("DATABASE_URL", &database),
        ("AMOCRM_BASE_URL", AMOCRM),
        ("AMOCRM_CLIENT_ID", &amocrm.client_id),
        ("AMOCRM_CLIENT_SECRET", &amocrm.client_secret),
        ("AMOCRM_REDIRECT_URI", &amocrm.redirect_uri),
        ("AMOCRM_REFRESH_TOKEN", &amocrm.refresh_token),
        ("AMOCRM_TRIGGER_STATUSES", &stage),
        ("CRM_API_URL", ERP),
        ("CRM_API_KEY", &erp.key),
        ("CRM_API_USERNAME", &erp.username),
        ("CRM_API_PASSWORD", &erp.password),
        ("CRM_DEDUPE", if world.settings.by_event { "event" } else { "lead" }),
    ];
    if world.settings.marker {
        env.push(("CRM_FIELD_EXTERNAL_ID", "field_1041"));
    }
    Config::load(&EnvMap::from_iter(env)).unwrap()
}

/// A process, and the world around it until it ends.
async fn process(world: &Arc<World>, config: &Config) -> End {
    let stop = CancellationToken::new();
    let mut app: Option<Service> = None;
    if world.state().db.is_none() {
        let clock: SharedClock = world.clock.clone();
        let db = at_once(Db::open(&config.database.url, clock)).unwrap();
        world.state().db = Some(db);
    }
    loop {
        let next = world.state().due.first_key_value().map(|(moment, _)| *moment);
        let Some(next) = next else { return End::Over };
        tokio::select! {
            biased;
            () = world.died.notified() => {
                return End::Killed(world.state().down);
            }
            () = world.more_is_due.notified() => continue,
            () = world.clock.wait_until(next.0) => {}
        }
        let Some(due) = world.state().due.remove(&next) else { continue };
        match due {
            Due::Over => return End::Over,
            Due::Start if app.is_some() => {}
            Due::Start => {
                let clock: SharedClock = world.clock.clone();
                let listener = SERVICE.trim_start_matches("http://").parse().unwrap();
                let building = App::build(config.clone(), listener, clock);
                let built = tokio::select! {
                    biased;
                    () = world.died.notified() => return End::Killed(world.state().down),
                    built = building => built,
                };
                match built {
                    Ok(built) => {
                        world.tell("the service starts");
                        app = Some(Service::spawn(world, built, &stop));
                    }
                    Err(error) => {
                        world.tell(format!("the service does not start: {error:#}"));
                        world.later(Duration::from_secs(60), Due::Start);
                    }
                }
            }
            Due::Act(Act::Deploy) => {
                let Some(service) = app.take() else { continue };
                world.begin(&Act::Deploy);
                service.drain(&stop).await;
                world.state().down = Duration::from_secs(10);
                return End::Killed(Duration::from_secs(10));
            }
            Due::Act(act) => world.begin(&act),
            due => world.handle(due, app.as_ref()),
        }
    }
}

/// The running service.
struct Service {
    public: Router,
    ledger: crate::deals::Ledger,
    amocrm: crate::amocrm::AmoCrmPort,
    db: Db,
    forwarder: tokio::task::JoinHandle<()>,
}

impl Service {
    fn spawn(world: &Arc<World>, app: App, stop: &CancellationToken) -> Self {
        let App { db, amocrm, ledger, health_check, inbox, resender, public, .. } = app;
        let (mut forwarder, mut registrar, loops) = (app.forwarder, app.registrar, app.heartbeats);
        world.state().is_up = true;
        // Their pauses grow here beyond a minute: weeks pass.
        let longest = Duration::from_secs(20 * 60);
        let first_retry = Duration::from_millis(500);
        forwarder.pace = Pace { poll: longest, first_retry, longest_retry: longest };
        registrar.pace = registration::Pace {
            period: longest,
            first_retry: Duration::from_secs(10),
            longest_retry: longest,
        };
        let forwarder = tokio::spawn(forwarder.run(loops.of("forwarder"), stop.clone()));
        tokio::spawn(registrar.run(loops.of("registration"), stop.clone()));
        tokio::spawn(resend(Arc::clone(world), resender));
        tokio::spawn(purge_daily(inbox, loops.of("clean-up"), stop.clone()));
        if let Some(check) = health_check {
            tokio::spawn(check.run(loops.of("health check"), stop.clone()));
        }
        Self { public, ledger, amocrm, db, forwarder }
    }

    /// What `app::Running` does at the end of a process, with its limit.
    async fn drain(self, stop: &CancellationToken) {
        stop.cancel();
        let draining = async {
            let _ = self.forwarder.await;
            self.amocrm.drain().await;
            self.ledger.drain().await;
            let _ = self.db;
        };
        let _ = tokio::time::timeout(Duration::from_secs(25), draining).await;
    }
}

/// What [`Resender::run`] does, with pauses that grow while nothing happens.
async fn resend(world: Arc<World>, mut resender: Resender<Systems>) {
    let (mut pause, longest) = RESENDER;
    loop {
        match resender.pass().await {
            Ok(0) => pause = (pause * 2).min(longest),
            Ok(deals) => {
                world.tell(format!("{deals} deals are sent again"));
                pause = RESENDER.0;
            }
            Err(error) => world.tell(format!("the resender fails: {error:#}")),
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = world.stirred.notified() => {
                pause = RESENDER.0;
                tokio::time::sleep(pause).await;
            }
        }
    }
}

impl World {
    /// The process is gone. What it was answering is not answered any more.
    fn goes_down(&self, down: Duration) {
        let calls = {
            let mut state = self.state();
            state.is_up = false;
            std::mem::take(&mut state.calls)
        };
        for (run, call) in calls {
            self.end_call(&run, call, &Answered::Unreachable);
        }
        self.later(down, Due::Start);
    }

    /// Begins an act of the script.
    fn begin(&self, act: &Act) {
        self.tell(act.to_string());
        self.count(act.name());
        let system = match act {
            Act::Moves { lead, hook } => return self.moves(*lead, *hook),
            Act::Creates { deal } => return self.creates(*deal),
            Act::Hides { lead, time } => {
                self.state().hidden.insert(*lead);
                self.state().may_need_a_person = true;
                return self.later(*time, Due::Show(*lead));
            }
            Act::TokensEnd => return self.amocrm.expire_tokens(),
            Act::Revokes(time) => {
                self.amocrm.revoke();
                self.state().consent_is_due = true;
                return self.later(*time, Due::Consent);
            }
            // A server that comes back without its state.
            Act::InngestForgets(time) => {
                let mut state = self.state();
                let runs = state.inngest.forget();
                state.calls.clear();
                state.created.values_mut().for_each(|may_be_lost| *may_be_lost = true);
                drop(state);
                if runs > 0 {
                    self.count("Inngest loses a run");
                }
                if *time < RESTART {
                    return;
                }
                System::Inngest
            }
            Act::Killed { points, down } => {
                let mut state = self.state();
                if state.is_up {
                    state.points_left = Some(*points);
                    state.down = *down;
                }
                return;
            }
            Act::ClockSteps(by) => return self.clock.correct(*by),
            Act::Deploy => return,
            Act::ErpRefuses(time) => {
                self.state().may_need_a_person = true;
                self.erp.configure(|erp| erp.fields.retain(|field| field != "field_1040"));
                self.later(*time, Due::Mended);
                System::Erp
            }
            Act::Erp503(_)
            | Act::Erp503WithRow(_)
            | Act::ErpHangs(_)
            | Act::ErpPhpErrors(_)
            | Act::ErpHasNoDatabase(_)
            | Act::Erp502(_)
            | Act::ErpUnreachable(_) => System::Erp,
            Act::AmoCrm429(_)
            | Act::AmoCrm402(_)
            | Act::AmoCrm500(_)
            | Act::AmoCrmHangs(_)
            | Act::AmoCrmUnreachable(_) => System::AmoCrm,
            Act::InngestUnreachable(_)
            | Act::Inngest503(_)
            | Act::InngestLosesAnswers(_)
            | Act::InngestSwallows(_) => System::Inngest,
            Act::DatabaseRefuses(_)
            | Act::DatabaseFallsSilent(_)
            | Act::CommitsFail(_)
            | Act::CommitsLoseTheirAnswer(_) => System::Database,
        };
        let until = self.clock.passed() + act.lasts();
        self.state().away.insert(system, (*act, until));
        self.at(until, Due::Stir);
    }

    /// A lead enters the stage.
    fn moves(&self, lead: u64, hook: Hook) {
        self.amocrm.set_lead(lead, Some(name_of_lead(lead).as_str()), 1000);
        let at = self.clock.really().as_second();
        self.amocrm.add_event("lead_status_changed", lead, at, Some(STAGE));
        self.state().leads.insert(lead, super::world::LeadFacts::default());
        if self.state().hidden.contains(&lead) {
            self.amocrm.remove_lead(lead);
        }
        let soon = Duration::from_millis(self.roll(100, 2000));
        let sent = Due::Webhook { lead, attempt: 0 };
        match hook {
            Hook::Lost => {}
            Hook::Sent => self.later(soon, sent),
            Hook::Late(time) => self.later(time, sent),
            Hook::SentTwice => {
                self.later(soon, sent.clone());
                self.later(soon + Duration::from_millis(self.roll(0, 3000)), sent);
            }
        }
    }

    fn creates(&self, deal: u64) {
        if matches!(
            self.away(System::Inngest),
            Some((Act::InngestUnreachable(_) | Act::Inngest503(_), _))
        ) || !self.state().inngest.knows_functions()
        {
            // The other program tries again: it has no answer.
            return self.later(Duration::from_secs(600), Due::Act(Act::Creates { deal }));
        }
        let event = json!({ "name": "crm/create-deal", "id": format!("order-{deal}"),
                            "data": { "dealName": name_of_deal(deal), "amount": 500 }, "ts": 0 });
        let (mut effects, now) = (Effects::default(), self.clock.passed());
        self.state().inngest.take(&event, now, &mut effects);
        self.state().created.entry(deal).or_insert(false);
        self.follow(effects);
    }

    fn handle(self: &Arc<Self>, due: Due, app: Option<&Service>) {
        match due {
            Due::Webhook { lead, attempt } => self.webhook(lead, attempt, app),
            Due::Call(run) => self.call(run, app),
            Due::Tick => {
                self.later(TICK, Due::Tick);
                let (mut effects, now) = (Effects::default(), self.clock.passed());
                if !self.inngest_is_down() {
                    self.state().inngest.tick(now, &mut effects);
                }
                self.follow(effects);
            }
            Due::LateInsert => {
                self.tell("the ERP finishes what its caller has given up");
                self.erp.finish_late_inserts();
            }
            Due::Look => self.look(),
            Due::LookAgain => {
                self.look();
                let wait = Duration::from_secs(self.roll(20, 180) * 60);
                self.later(wait, Due::LookAgain);
            }
            Due::Consent => self.consent(app),
            Due::ConsentAgain => {
                if self.state().consent_is_due {
                    self.consent(app);
                }
            }
            Due::Unanswered { lead, attempt, number } => {
                if self.state().unanswered.remove(&number) {
                    self.webhook_again(lead, attempt);
                }
            }
            Due::Show(lead) => {
                self.tell(format!("lead {lead} is shown again"));
                self.state().hidden.remove(&lead);
                self.amocrm.set_lead(lead, Some(name_of_lead(lead).as_str()), 1000);
                self.later(Duration::from_secs(60), Due::Look);
            }
            Due::Mended => {
                self.tell("a person mends the ERP's fields");
                self.erp.configure(|erp| {
                    if !erp.fields.iter().any(|field| field == "field_1040") {
                        erp.fields.push("field_1040".to_owned());
                    }
                });
                self.later(Duration::from_secs(60), Due::Look);
            }
            Due::Stir => self.stirred.notify_one(),
            Due::Act(_) | Due::Start | Due::Over => {}
        }
    }

    fn inngest_is_down(&self) -> bool {
        matches!(
            self.away(System::Inngest),
            Some((Act::InngestUnreachable(_) | Act::InngestForgets(_), _))
        )
    }

    /// amoCRM sends a webhook.
    fn webhook(self: &Arc<Self>, lead: u64, attempt: usize, app: Option<&Service>) {
        let Some(service) = app else { return self.webhook_again(lead, attempt) };
        let request = Request::post("/api/amocrm-webhook")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(webhook_of(lead)))
            .unwrap();
        let number = self.state().sends_webhook(lead);
        self.later(WEBHOOK_PATIENCE, Due::Unanswered { lead, attempt, number });
        let (world, public) = (Arc::clone(self), service.public.clone());
        tokio::spawn(async move {
            let status = in_process(&public, request).await.status();
            // Later than that it was asked for again.
            if world.state().unanswered.remove(&number) {
                world.webhook_answered(lead, attempt, status);
            }
        });
    }

    fn webhook_answered(&self, lead: u64, attempt: usize, status: StatusCode) {
        if status == StatusCode::OK {
            if let Some(facts) = self.state().leads.get_mut(&lead) {
                facts.accepted += 1;
            }
            self.stirred.notify_one();
        } else {
            self.tell(format!("lead {lead}: its webhook is answered {status}"));
            self.webhook_again(lead, attempt);
        }
    }

    fn webhook_again(&self, lead: u64, attempt: usize) {
        self.count("a webhook is repeated");
        match REPEATS.get(attempt + 1) {
            Some(wait) => self.later(*wait, Due::Webhook { lead, attempt: attempt + 1 }),
            None => self.tell(format!("lead {lead}: amoCRM gives its webhook up")),
        }
    }

    /// Inngest calls the service.
    fn call(self: &Arc<Self>, run: String, app: Option<&Service>) {
        if self.inngest_is_down() {
            // What it has to do waits until it is back.
            return self.later(Duration::from_secs(300), Due::Call(run));
        }
        let Some((request, call)) = self.state().inngest.call(&run) else { return };
        let Some(service) = app else { return self.end_call(&run, call, &Answered::Unreachable) };
        self.state().calls.insert((run.clone(), call));
        let (world, public) = (Arc::clone(self), service.public.clone());
        tokio::spawn(async move {
            let answer = in_process(&public, request.map(Body::from)).await;
            let (parts, body) = answer.into_parts();
            let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
            let header = |name| parts.headers.get(name).and_then(|value| value.to_str().ok());
            let answered = Answered::By(
                parts.status,
                header("retry-after").map(str::to_owned),
                header("x-inngest-no-retry") == Some("true"),
                body,
            );
            if world.state().calls.remove(&(run.clone(), call)) {
                world.end_call(&run, call, &answered);
            }
        });
    }

    fn end_call(&self, run: &str, call: u32, answered: &Answered) {
        let (mut effects, now) = (Effects::default(), self.clock.passed());
        self.state().inngest.called(run, call, answered, now, &mut effects);
        self.follow(effects);
    }

    /// A person gives a consent, as often as it takes.
    fn consent(self: &Arc<Self>, app: Option<&Service>) {
        let Some(service) = app else {
            return self.later(Duration::from_secs(600), Due::Consent);
        };
        let (world, public) = (Arc::clone(self), service.public.clone());
        self.later(Duration::from_secs(600), Due::ConsentAgain);
        tokio::spawn(async move {
            let get = |uri: String| Request::get(uri).body(Body::empty()).unwrap();
            let begun = in_process(&public, get("/oauth/start".to_owned())).await;
            let link = begun.headers().get("location").and_then(|link| link.to_str().ok());
            let Some(link) = link.and_then(|link| link.parse::<url::Url>().ok()) else { return };
            let state = link.query_pairs().find(|(name, _)| name == "state");
            let state = state.map(|(_, state)| state.into_owned()).unwrap_or_default();
            let code = world.amocrm.issue_code();
            let client = sandbox::FakeAmoCrmSettings::default().client_id;
            let back = format!(
                "/oauth/callback?code={code}&state={state}&referer=127.0.0.1:81&client_id={client}"
            );
            let status = in_process(&public, get(back)).await.status();
            world.tell(format!("a person gives a consent: {status}"));
            if status == StatusCode::OK {
                world.count("a consent is given");
                world.state().consent_is_due = false;
                world.stirred.notify_one();
            }
        });
    }
}
