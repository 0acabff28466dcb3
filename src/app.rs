//! The running service: every part made from the configuration and connected, nothing decided.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use inngest::Client;
use rustix::process::{Resource, getrlimit};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::amocrm::hook::Destination;
use crate::amocrm::watch::HealthCheck;
use crate::amocrm::{AmoCrmClient, AmoCrmPort, oauth_router};
use crate::clock::SharedClock;
use crate::config::Config;
use crate::db::Db;
use crate::deals::{self, Ledger};
use crate::erp::ErpClient;
use crate::http::{self, Limits, admin_router, public_router};
use crate::inbox::{Forwarder, Inbox, InngestTransport, Intake, Pace, purge_daily};
use crate::metrics::Metrics;
use crate::outbound::Outbound;
use crate::reconcile;

/// How long calls that are under way at shutdown may still take. Orchestrators kill after 30 s.
pub const DRAIN_LIMIT: Duration = Duration::from_secs(25);

/// Where the service listens. Bound by the caller, so that tests take free ports.
pub struct Listeners {
    /// For the world.
    pub public: TcpListener,
    /// For operators.
    pub admin: TcpListener,
}

impl Listeners {
    /// Binds what the configuration names.
    pub async fn bind(config: &Config) -> anyhow::Result<Self> {
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

/// Runs the service until `stop`, then lets what is under way finish.
///
/// Two phases: first nothing new is accepted and running calls have [`DRAIN_LIMIT`]; then the rest is cut off. A call
/// that is cut off is made again by Inngest. A part that ends by itself ends the service with an error.
pub async fn run(
    config: Config,
    listeners: Listeners,
    clock: SharedClock,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    // Where amoCRM is a stand-in on this machine, it is not asked to call back.
    let destination =
        webhook_destination(&config).filter(|destination| destination.shown().scheme() == "https");
    let store = Db::open_for_service(&config.database.url, Arc::clone(&clock)).await?;
    deals::forget_claims(&store).await?;
    let inbox = Inbox::new(store.clone());
    inbox.forget_claims().await?;
    let outbound = Outbound::new();
    let client = Client::new(config.inngest, InngestTransport::new(outbound.clone()));
    let amocrm = match config.amocrm {
        Some(settings) => {
            let clock = Arc::clone(&clock);
            AmoCrmPort::Configured(AmoCrmClient::new(
                settings,
                store.clone(),
                outbound.clone(),
                clock,
            ))
        }
        None => AmoCrmPort::Missing(Default::default()),
    };
    let erp =
        config.erp.map(|settings| ErpClient::new(settings, outbound.clone(), Arc::clone(&clock)));
    let ledger = Ledger::new(store.clone(), erp, config.dedupe, Arc::clone(&clock));
    let metrics = Metrics::new();
    let filter = &config.webhook.filter;
    let reconcile = filter.trigger_statuses.clone().map(|stages| {
        let (amocrm, store, metrics) = (amocrm.clone(), store.clone(), metrics.clone());
        reconcile::function(amocrm, store, metrics, config.dedupe, stages)
    });
    let endpoint = functions::endpoint(
        client.clone(),
        amocrm.clone(),
        ledger.clone(),
        filter.clone(),
        reconcile,
    )
    .context("the functions are not configured rightly")?;

    let webhooks = config.webhook;
    let intake = Intake::new(inbox.clone(), webhooks.secrets, webhooks.filter, metrics.clone());
    let forwarder = Forwarder {
        inbox: inbox.clone(),
        inngest: client,
        metrics: metrics.clone(),
        pace: Pace::default(),
    };
    tracing::info!(
        address = %listeners.public.local_addr()?,
        admin = %listeners.admin.local_addr()?,
        "prometei-flow listens"
    );

    let mut parts: JoinSet<anyhow::Result<&'static str>> = JoinSet::new();
    let oauth = oauth_router(&amocrm, store.clone(), Arc::clone(&clock));
    let public = public_router(endpoint, Arc::new(intake)).merge(oauth);
    let descriptors = descriptors();
    let serving = http::serve(
        listeners.public,
        public,
        Limits::public(descriptors),
        Arc::clone(&clock),
        stop.clone(),
    );
    parts.spawn(async move {
        serving.await;
        Ok("the public listener")
    });
    if let AmoCrmPort::Configured(client) = &amocrm {
        let clock = Arc::clone(&clock);
        let check = HealthCheck::new(client.clone(), destination, clock, metrics.clone());
        let checking = check.run(stop.clone());
        parts.spawn(async move {
            checking.await;
            Ok("the health check of amoCRM")
        });
    }
    let admin = admin_router(inbox.clone(), metrics);
    let serving =
        http::serve(listeners.admin, admin, Limits::admin(descriptors), clock, stop.clone());
    parts.spawn(async move {
        serving.await;
        Ok("the admin listener")
    });
    let forwarding = forwarder.run(stop.clone());
    parts.spawn(async move {
        forwarding.await;
        Ok("the forwarder")
    });
    let purging = purge_daily(inbox, stop.clone());
    parts.spawn(async move {
        purging.await;
        Ok("the clean-up of webhook bodies")
    });

    let ended = supervise(&mut parts, &stop).await;
    if let AmoCrmPort::Configured(client) = &amocrm {
        client.auth().wait_for_exchange().await;
    }
    ledger.drain().await;
    store.close().await;
    ended
}

/// How many files and connections the system lets this process have open.
fn descriptors() -> usize {
    let limit = getrlimit(Resource::Nofile).current;
    limit.and_then(|limit| limit.try_into().ok()).unwrap_or(usize::MAX)
}

/// The address that amoCRM should call, where it can be known and amoCRM can reach it.
pub(crate) fn webhook_destination(config: &Config) -> Option<Destination> {
    let amocrm = config.amocrm.as_ref()?;
    let origin = config.public_origin()?;
    let reachable = origin.scheme() == "https" || amocrm.base_url.is_local();
    reachable.then(|| Destination::new(&origin, config.webhook.secrets.last()))
}

/// Waits for `stop`, then for all parts to end.
async fn supervise(
    parts: &mut JoinSet<anyhow::Result<&'static str>>,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let crashed = tokio::select! {
        // Parts end because of the signal: then it is the signal that counts.
        biased;
        () = stop.cancelled() => Ok(()),
        Some(ended) = parts.join_next() => Err(match ended {
            Ok(Ok(part)) => anyhow::anyhow!("{part} has ended by itself"),
            Ok(Err(error)) => error.context("a part of the service has failed"),
            Err(error) => anyhow::Error::new(error).context("a part of the service has crashed"),
        }),
    };
    stop.cancel();
    let drained =
        tokio::time::timeout(DRAIN_LIMIT, async { while parts.join_next().await.is_some() {} });
    if drained.await.is_err() {
        tracing::warn!("calls were still running after {DRAIN_LIMIT:?} and are cut off");
        parts.shutdown().await;
    }
    crashed
}
