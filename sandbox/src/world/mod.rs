//! One builder for everything around the service.

mod running;
mod variables;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use inngest::signing::SigningKey;
use inngest_dev_server::{Builder, DevServer};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use running::{Replica, RunningWorld};
pub use variables::Variables;

use crate::{
    FakeAmoCrm, FakeAmoCrmSettings, FakeErp, FakeErpSettings, Gate, ManualClock, free_port,
};

/// What the service is started with.
#[derive(Debug)]
pub struct Launch {
    /// Everything that it reads from its environment, its addresses excepted.
    pub variables: Variables,
    /// Where amoCRM and Inngest call it.
    pub public: TcpListener,
    /// Where its admin listener is.
    pub admin: TcpListener,
    /// Its clock; the machine's where none is given.
    pub clock: Option<Arc<ManualClock>>,
    /// A folder that lives as long as the world does.
    pub folder: PathBuf,
    /// Ends the service.
    pub stop: CancellationToken,
}

/// A world that is being described. Nothing runs yet.
///
/// By default it has one service in development mode, configured with the fake amoCRM, the fake ERP, the embedded
/// Inngest and an empty SQLite database.
pub struct World {
    amocrm: FakeAmoCrmSettings,
    leads: Vec<(u64, Option<String>, i64)>,
    erp: FakeErpSettings,
    inngest: Builder,
    keys: Option<Keys>,
    told: Told,
    changes: Vec<(String, String)>,
    clock: Option<Arc<ManualClock>>,
    replicas: usize,
    gated: bool,
    listeners: Option<(TcpListener, TcpListener)>,
    inngest_listener: Option<TcpListener>,
    stop: CancellationToken,
}

/// What the service is configured with.
struct Told {
    amocrm: bool,
    erp: bool,
    /// This Inngest instead of the embedded one.
    other_inngest: Option<String>,
}

/// The keys that a signing server shares with its app.
struct Keys {
    signing: String,
    event: String,
}

impl Default for Keys {
    // No secrets: they are valid in this world only.
    fn default() -> Self {
        let signing = "signkey-test-70726f6d657465692d666c6f772073616e64626f78";
        Self { signing: signing.to_owned(), event: "sandbox-event-key".to_owned() }
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl World {
    /// An ordinary world without leads.
    pub fn new() -> Self {
        Self {
            amocrm: FakeAmoCrmSettings::default(),
            leads: Vec::new(),
            erp: FakeErpSettings::default(),
            inngest: DevServer::builder().retry_interval(Duration::from_millis(20)),
            keys: None,
            told: Told { amocrm: true, erp: true, other_inngest: None },
            changes: Vec::new(),
            clock: None,
            replicas: 1,
            gated: false,
            listeners: None,
            inngest_listener: None,
            stop: CancellationToken::new(),
        }
    }

    /// amoCRM has this lead.
    pub fn lead<'a>(mut self, id: u64, name: impl Into<Option<&'a str>>, price: i64) -> Self {
        self.leads.push((id, name.into().map(str::to_owned), price));
        self
    }

    /// Sets amoCRM up another way.
    pub fn amocrm(mut self, change: impl FnOnce(&mut FakeAmoCrmSettings)) -> Self {
        change(&mut self.amocrm);
        self
    }

    /// The service has no amoCRM configured.
    pub fn without_amocrm(mut self) -> Self {
        self.told.amocrm = false;
        self
    }

    /// Sets the ERP up another way.
    pub fn erp(mut self, change: impl FnOnce(&mut FakeErpSettings)) -> Self {
        change(&mut self.erp);
        self
    }

    /// The service has no ERP configured.
    pub fn without_erp(mut self) -> Self {
        self.told.erp = false;
        self
    }

    /// Sets the embedded Inngest up another way, for instance with a clock of its own.
    pub fn inngest(mut self, change: impl FnOnce(Builder) -> Builder) -> Self {
        self.inngest = change(self.inngest);
        self
    }

    /// The service uses the Inngest at `url`, which need not exist, instead of the embedded one.
    pub fn inngest_at(mut self, url: impl Into<String>) -> Self {
        self.told.other_inngest = Some(url.into());
        self
    }

    /// The embedded Inngest listens here.
    pub fn inngest_listener(mut self, listener: TcpListener) -> Self {
        self.inngest_listener = Some(listener);
        self
    }

    /// The way to Inngest leads through a gate: see [`RunningWorld::inngest_is_there`].
    pub fn gate_before_inngest(mut self) -> Self {
        self.gated = true;
        self
    }

    /// Cloud mode: calls are signed, events have a key, and webhooks a secret.
    pub fn signed(mut self) -> Self {
        self.keys.get_or_insert_default();
        self
    }

    /// Cloud mode with this key for events.
    pub fn event_key(mut self, key: &str) -> Self {
        self.keys.get_or_insert_default().event = key.to_owned();
        self
    }

    /// Cloud mode with this key for signatures.
    pub fn signing_key(mut self, key: &str) -> Self {
        self.keys.get_or_insert_default().signing = key.to_owned();
        self
    }

    /// Changes a variable of the service, or removes it, with an empty value.
    pub fn variable(mut self, name: &str, value: impl Into<String>) -> Self {
        self.changes.push((name.to_owned(), value.into()));
        self
    }

    /// The service uses this clock instead of the machine's.
    pub fn clock(mut self, clock: Arc<ManualClock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// So many services, which share the calls of Inngest.
    pub fn replicas(mut self, count: usize) -> Self {
        self.replicas = count;
        self
    }

    /// The first service listens here: for the public, and for operators.
    pub fn listeners(mut self, public: TcpListener, admin: TcpListener) -> Self {
        self.listeners = Some((public, admin));
        self
    }

    /// Whether calls are signed.
    pub fn is_signed(&self) -> bool {
        self.keys.is_some()
    }

    /// Ends the world with `stop`.
    pub fn stopped_by(mut self, stop: CancellationToken) -> Self {
        self.stop = stop;
        self
    }

    /// Starts everything, the services last: each with `start`. They register themselves with Inngest, see
    /// [`RunningWorld::registered`].
    pub async fn start<S>(
        mut self,
        start: impl AsyncFn(Launch) -> anyhow::Result<S>,
    ) -> anyhow::Result<RunningWorld<S>> {
        let folder = tempfile::tempdir().context("no temporary folder for the database")?;
        let stop = &self.stop;
        let amocrm = FakeAmoCrm::start(free_port().await?, stop.clone(), self.amocrm.clone())?;
        for (id, name, price) in &self.leads {
            amocrm.set_lead(*id, name.as_deref(), *price);
        }
        let erp = FakeErp::start(free_port().await?, stop.clone(), self.erp.clone())?;

        let mut listeners = Vec::from_iter(self.listeners.take());
        while listeners.len() < self.replicas {
            listeners.push((free_port().await?, free_port().await?));
        }
        let addresses = listeners.iter().map(|(public, _)| reachable(public));
        let addresses = addresses.collect::<Result<Vec<_>, _>>()?;
        let balancer = match *addresses {
            [_] => None,
            _ => Some(Gate::to(addresses.clone()).await?),
        };
        let app = balancer.as_ref().map_or(addresses[0], Gate::address);

        let listener = match self.inngest_listener.take() {
            Some(listener) => listener,
            None => free_port().await?,
        };
        let embedded = listener.local_addr()?;
        let gate = if self.gated { Some(Gate::to(vec![embedded]).await?) } else { None };
        let mut inngest = self.inngest.clone();
        if let Some(keys) = &self.keys {
            inngest = inngest.event_key(&keys.event).signing_key(SigningKey::new(&keys.signing));
        }
        let inngest = inngest.serve(listener, stop.child_token())?;
        let observations = inngest.subscribe();
        let inngest_url =
            self.told.other_inngest.clone().unwrap_or_else(|| {
                format!("http://{}", gate.as_ref().map_or(embedded, Gate::address))
            });

        let variables = self.variables(&amocrm, &erp, &inngest_url, app, folder.path());
        let mut replicas = Vec::new();
        for ((public, admin), address) in listeners.into_iter().zip(addresses) {
            let admin_address = reachable(&admin)?;
            let launch = Launch {
                variables: variables.clone(),
                public,
                admin,
                clock: self.clock.clone(),
                folder: folder.path().to_owned(),
                stop: stop.clone(),
            };
            let service = start(launch).await?;
            replicas.push(Replica { address, admin: admin_address, service });
        }
        Ok(RunningWorld {
            amocrm,
            erp,
            inngest,
            observations,
            inngest_url,
            is_embedded: self.told.other_inngest.is_none(),
            url: format!("http://{app}"),
            variables,
            replicas,
            _stop: self.stop.clone().drop_guard(),
            stop: self.stop,
            gate,
            _balancer: balancer,
            folder,
        })
    }
}

/// The address of a listener as something to call: 127.0.0.1 where it means "all".
fn reachable(listener: &TcpListener) -> std::io::Result<SocketAddr> {
    let mut address = listener.local_addr()?;
    if address.ip().is_unspecified() {
        address.set_ip(Ipv4Addr::LOCALHOST.into());
    }
    Ok(address)
}
