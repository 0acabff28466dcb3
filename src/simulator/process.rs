//! The service in its world, from one start of its process to the next.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use tokio::runtime::Builder;
use tokio_util::sync::CancellationToken;

use super::script::Act;
use super::seam::{at_once, enter};
use super::world::{AMOCRM, Due, ERP, INNGEST, SERVICE, STAGE, World};
use crate::app::App;
use crate::clock::SharedClock;
use crate::config::{Config, EnvMap};
use crate::db::Db;
use crate::inbox::{Pace, purge_daily};
use crate::registration;
use crate::resender::{Resender, Systems};

/// The pauses of the resender here. In the long run nothing changes, and it need not look every 15 s.
const RESENDER: (Duration, Duration) = (Duration::from_secs(15), Duration::from_secs(40 * 60));

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
pub(super) struct Service {
    pub(super) public: Router,
    ledger: crate::deals::Ledger,
    pub(super) amocrm: crate::amocrm::AmoCrmPort,
    db: Db,
    forwarder: tokio::task::JoinHandle<()>,
}

impl Service {
    fn spawn(world: &Arc<World>, app: App, stop: &CancellationToken) -> Self {
        let App { db, amocrm, ledger, health_check, inbox, resender, public, .. } = app;
        let (mut forwarder, mut registrar, loops) = (app.forwarder, app.registrar, app.heartbeats);
        {
            let mut state = world.state();
            state.is_up = true;
            state.disturbed = state.disturbed.max(world.clock.passed());
        }
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
