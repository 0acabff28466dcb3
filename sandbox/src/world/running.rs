use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use inngest_dev_server::{DevServer, Observation};
use tempfile::TempDir;
use tokio::sync::broadcast;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::Variables;
use crate::{DEADLINE, FakeAmoCrm, FakeErp, Gate};

/// A world that runs until it is dropped or stopped. `S` is what the start of a service returned.
pub struct RunningWorld<S> {
    /// The account whose leads become records.
    pub amocrm: FakeAmoCrm,
    /// Where the records are.
    pub erp: FakeErp,
    /// The embedded Inngest.
    pub inngest: DevServer,
    /// What the embedded Inngest has seen since the beginning.
    pub observations: broadcast::Receiver<Observation>,
    /// The Inngest that the service uses, without a slash at the end.
    pub inngest_url: String,
    /// Whether that is the embedded one.
    pub is_embedded: bool,
    /// The service as Inngest calls it, without a slash at the end.
    pub url: String,
    /// What the service reads from its environment.
    pub variables: Variables,
    /// The services.
    pub replicas: Vec<Replica<S>>,
    /// Ends the world: the services, the fakes and the embedded Inngest.
    pub stop: CancellationToken,
    pub(super) _stop: DropGuard,
    pub(super) gate: Option<Gate>,
    pub(super) _balancer: Option<Gate>,
    pub(super) folder: TempDir,
}

/// One of the services.
#[derive(Debug)]
pub struct Replica<S> {
    /// Its public address.
    pub address: SocketAddr,
    /// Its address for operators.
    pub admin: SocketAddr,
    /// The service itself.
    pub service: S,
}

impl<S> RunningWorld<S> {
    /// Waits until the embedded Inngest knows the functions of the service, where it uses that one.
    pub async fn registered(&self) -> anyhow::Result<()> {
        let known = async {
            while self.is_embedded && self.inngest.functions().is_empty() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let known = tokio::time::timeout(DEADLINE, known).await;
        known.context("the service has not registered its functions")
    }

    /// Where amoCRM sends its webhooks: the service's `path`, with the secret that the service asks for.
    pub fn webhook_url(&self, path: &str) -> String {
        let secret = self.variables.get("AMOCRM_WEBHOOK_SECRET");
        let secret = secret.map(|secret| format!("?secret={secret}")).unwrap_or_default();
        format!("{}{path}{secret}", self.url)
    }

    /// Opens or shuts the gate before Inngest; without one this does nothing.
    pub fn inngest_is_there(&self, there: bool) {
        if let Some(gate) = &self.gate {
            gate.set_open(there);
        }
    }

    /// A folder that lives as long as this value. The database is in it.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}
