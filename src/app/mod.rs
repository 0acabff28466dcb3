//! The service: built from its configuration, spawned as loops and listeners, drained at its end. It decides nothing.

mod tasks;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use rustix::process::{Resource, getrlimit};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::admin::{Access, Admin, Neighbours, Page, admin_router, guarded, page_router};
use crate::amocrm::watch::HealthCheck;
use crate::amocrm::{AmoCrmPort, oauth_router};
use crate::clock::SharedClock;
use crate::config::Config;
use crate::db::Db;
use crate::deals::{self, Ledger};
use crate::erp::ErpClient;
use crate::heartbeat::Heartbeats;
use crate::http::{self, Limits, public_router};
use crate::inbox::{Forwarder, Inbox, Intake, Pace, purge_daily, webhook_router};
use crate::logging::LogFailures;
use crate::metrics::Metrics;
use crate::outbound::{Outbound, inngest_client};
use crate::reconcile::{self, Progress};
use crate::registration::{Address, LostDeals, Registrar};
use crate::resender::{Resender, Systems};
use tasks::Tasks;

/// How long all that is under way at shutdown may still take together: requests, a delivery to Inngest, calls of the ERP,
/// an exchange of tokens, queries. Orchestrators kill after 30 s.
const DRAIN_LIMIT: Duration = Duration::from_secs(25);

/// Where the service listens. Bound by the caller, so that tests take free ports.
pub(crate) struct Listeners {
    /// For the world.
    pub public: TcpListener,
    /// For operators.
    pub admin: TcpListener,
}

impl Listeners {
    /// Binds what the configuration names.
    pub(crate) async fn bind(config: &Config) -> anyhow::Result<Self> {
        let listen = &config.listen;
        let public = http::bind((listen.host.as_str(), listen.port)).await;
        let public = public.with_context(|| {
            format!(
                "cannot listen on {}:{}; stop what uses this port, or set HOST and PORT",
                listen.host, listen.port
            )
        })?;
        let admin = http::bind(listen.admin).await.with_context(|| {
            format!(
                "cannot listen on {}; stop what uses this port, or set ADMIN_ADDR",
                listen.admin
            )
        })?;
        Ok(Self { public, admin })
    }
}

/// Runs the service until `stop`, then accepts nothing new and lets what is under way finish, for 25 s at most.
///
/// # Errors
///
/// When it cannot be built, and when a loop or listener ends by itself, which ends the service.
pub(crate) async fn run(
    config: Config,
    listeners: Listeners,
    clock: SharedClock,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let address = listeners.public.local_addr()?;
    let mut running = App::build(config, address, clock).await?.spawn(listeners, &stop)?;
    let ended = running.until(&stop).await;
    stop.cancel();
    running.drain(DRAIN_LIMIT).await;
    ended
}

/// The parts of the service, connected and not yet running.
pub(crate) struct App {
    clock: SharedClock,
    pub(crate) db: Db,
    pub(crate) amocrm: AmoCrmPort,
    pub(crate) ledger: Ledger,
    pub(crate) health_check: Option<HealthCheck>,
    pub(crate) inbox: Inbox,
    pub(crate) forwarder: Forwarder,
    pub(crate) heartbeats: Heartbeats,
    pub(crate) resender: Resender<Systems>,
    pub(crate) registrar: Registrar<Inbox>,
    pub(crate) public: Router,
    admin: Router,
}

/// The service at work, and what must finish before it ends.
struct Running {
    tasks: Tasks,
    db: Db,
    amocrm: AmoCrmPort,
    ledger: Ledger,
}

impl App {
    pub(crate) async fn build(
        config: Config,
        listener: SocketAddr,
        clock: SharedClock,
    ) -> anyhow::Result<Self> {
        let metrics = Metrics::new();
        let db = Db::open_for_service(&config.database.url, Arc::clone(&clock)).await?;
        let db = db.measured(metrics.database());
        deals::forget_claims(&db).await?;
        let inbox = Inbox::new(db.clone(), config.rules);
        inbox.forget_claims().await?;
        inbox.adopt().await?;
        // Where amoCRM is a stand-in on this machine, it is not asked to call back.
        let destination = config.webhook_destination();
        let destination = destination.filter(|address| address.shown().scheme() == "https");
        let links = config.links();
        let outbound = Outbound::new();
        let inngest = inngest_client(config.inngest, outbound.clone(), &clock);
        let inngest = inngest.with_middleware(metrics.runs()).with_middleware(LogFailures);
        let amocrm = AmoCrmPort::new(config.amocrm, &db, &outbound.measured(metrics.amocrm()));
        let outbound = outbound.measured(metrics.erp());
        let erp = config.erp.map(|erp| ErpClient::new(erp, outbound, Arc::clone(&clock)));
        let ledger = Ledger::new(db.clone(), erp, config.rules, db.clock());

        let filter = &config.webhook.filter;
        let progress = Progress::new(filter.trigger_statuses.as_ref().map(|_| db.clone()));
        let reconcile = filter.trigger_statuses.clone().map(|stages| {
            reconcile::function(
                amocrm.clone(),
                db.clone(),
                inbox.clone(),
                metrics.clone(),
                config.rules,
                stages,
            )
        });
        let endpoint = functions::endpoint(
            inngest.clone(),
            amocrm.clone(),
            ledger.clone(),
            config.fields,
            filter.clone(),
            reconcile,
        )
        .context("the functions are not configured rightly")?;
        let address = Address::of(&endpoint, inngest.settings(), listener);
        let (registrar, gate) =
            Registrar::new(endpoint.clone(), address, inbox.clone(), metrics.clone());
        let webhooks = config.webhook;
        let intake = Intake::new(inbox.clone(), webhooks.secrets, webhooks.filter, metrics.clone());
        let forwarder = Forwarder {
            inbox: inbox.clone(),
            inngest,
            metrics: metrics.clone(),
            pace: Pace::default(),
            gate: gate.clone(),
        };
        let resender = Resender {
            db: db.clone(),
            inbox: inbox.clone(),
            obstacles: Systems::new(ledger.clone(), amocrm.clone(), Arc::clone(&clock)),
            metrics: metrics.clone(),
        };
        let health_check = amocrm.client().ok().map(|client| {
            HealthCheck::new(client.clone(), destination, Arc::clone(&clock), metrics.clone())
        });
        let oauth = oauth_router(&amocrm, db.clone(), db.clock());
        let public = public_router(webhook_router(intake, endpoint).merge(oauth));
        let heartbeats = Heartbeats::new(Arc::clone(&clock));
        let access = Access::new(config.admin.token).context("no random numbers")?;
        let admin = Admin {
            db: db.clone(),
            inbox: inbox.clone(),
            amocrm: amocrm.clone(),
            heartbeats: heartbeats.clone(),
            progress,
            gate,
            metrics,
        };
        let page = Page {
            neighbours: Neighbours::new(amocrm.clone(), ledger.clone(), &admin),
            admin: admin.clone(),
            links,
            access: access.clone(),
            shows_deals: config.admin.shows_deals,
            warnings: config.warnings,
        };
        let admin = guarded(admin_router(admin).merge(page_router(page)), access);
        Ok(Self {
            clock,
            db,
            amocrm,
            ledger,
            health_check,
            inbox,
            forwarder,
            heartbeats,
            resender,
            registrar,
            public,
            admin,
        })
    }

    /// Starts every loop and listener.
    fn spawn(self, listeners: Listeners, stop: &CancellationToken) -> anyhow::Result<Running> {
        tracing::info!(
            address = %listeners.public.local_addr()?,
            admin = %listeners.admin.local_addr()?,
            "prometei-flow listens"
        );
        let files = open_files();
        let serve = |listener, router, limits| {
            http::serve(listener, router, limits, Arc::clone(&self.clock), stop.clone())
        };
        let mut tasks = Tasks::new(self.heartbeats);
        tasks.spawn("public listener", serve(listeners.public, self.public, Limits::public(files)));
        tasks.spawn("admin listener", serve(listeners.admin, self.admin, Limits::admin(files)));
        tasks.spawn_loop("forwarder", |heartbeat| self.forwarder.run(heartbeat, stop.clone()));
        tasks.spawn_loop("registration", |heartbeat| self.registrar.run(heartbeat, stop.clone()));
        tasks.spawn_loop("resender", |heartbeat| self.resender.run(heartbeat, stop.clone()));
        tasks.spawn_loop("clean-up", |heartbeat| purge_daily(self.inbox, heartbeat, stop.clone()));
        if let Some(check) = self.health_check {
            tasks.spawn_loop("health check", |heartbeat| check.run(heartbeat, stop.clone()));
        }
        if self.db.is_shared() {
            let db = self.db.clone();
            tasks.spawn_loop("database clock", |heartbeat| db.keep_time(heartbeat, stop.clone()));
        }
        Ok(Running { tasks, db: self.db, amocrm: self.amocrm, ledger: self.ledger })
    }
}

impl Running {
    /// Waits for `stop`. A task that ends before it is an error.
    async fn until(&mut self, stop: &CancellationToken) -> anyhow::Result<()> {
        tokio::select! {
            // Tasks end because of the signal: then it is the signal that counts.
            biased;
            () = stop.cancelled() => Ok(()),
            Some((name, ended)) = self.tasks.next_end() => Err(match ended {
                Ok(()) => anyhow::anyhow!("the {name} has ended by itself"),
                Err(error) => anyhow::Error::new(error).context(format!("the {name} has crashed")),
            }),
        }
    }

    /// Waits until nothing is under way, for `limit` at most.
    async fn drain(mut self, limit: Duration) {
        if tokio::time::timeout(limit, self.finish()).await.is_err() {
            tracing::warn!(
                tasks = ?self.tasks.names(),
                "shutdown took longer than {limit:?}: what still runs is cut off. Inngest repeats its calls; a deal \
                 that was being sent to the ERP is in doubt, `prometei-flow deals` lists it"
            );
        }
    }

    async fn finish(&mut self) {
        while self.tasks.next_end().await.is_some() {}
        // Calls of the ERP and exchanges of tokens go on when their caller is gone.
        self.amocrm.drain().await;
        self.ledger.drain().await;
        self.db.close().await;
    }
}

impl LostDeals for Inbox {
    async fn resend(&self) -> anyhow::Result<usize> {
        self.resend_what_was_lost().await
    }
}

/// How many files and connections the system lets this process have open.
fn open_files() -> usize {
    let limit = getrlimit(Resource::Nofile).current;
    limit.and_then(|limit| limit.try_into().ok()).unwrap_or(usize::MAX)
}
