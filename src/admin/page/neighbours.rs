//! The systems around this service, and whether they work.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::words::Text;
use crate::admin::Admin;
use crate::amocrm::AmoCrmPort;
use crate::deals::Ledger;
use crate::inbox::Inbox;
use crate::registration::Gate;

/// How long one is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long the answer of one that is asked by a call counts: a page that is loaded again and again must not use up what
/// amoCRM allows.
const FRESH: Duration = Duration::from_secs(60);

/// A system, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Neighbour {
    pub(super) name: Text,
    pub(super) problem: Option<String>,
}

/// Asks them.
pub(crate) struct Neighbours {
    amocrm: AmoCrmPort,
    ledger: Ledger,
    inbox: Inbox,
    gate: Gate,
    called: Mutex<Option<(Instant, [Neighbour; 2])>>,
}

impl Neighbours {
    pub(crate) fn new(amocrm: AmoCrmPort, ledger: Ledger, admin: &Admin) -> Self {
        let (inbox, gate) = (admin.inbox.clone(), admin.gate.clone());
        Self { amocrm, ledger, inbox, gate, called: Mutex::default() }
    }

    /// All of them.
    pub(super) async fn look(&self) -> Vec<Neighbour> {
        let mut all = Vec::from(self.called().await);
        let inngest = self.gate.problem();
        all.push(Neighbour { name: ["Inngest", "Inngest"], problem: inngest });
        let written = within(self.inbox.prove_writable()).await;
        all.push(Neighbour { name: ["Database", "База данных"], problem: written.err() });
        all
    }

    /// Those that are asked by a call over the network.
    async fn called(&self) -> [Neighbour; 2] {
        let mut called = self.called.lock().await;
        if let Some((at, seen)) = &*called
            && at.elapsed() < FRESH
        {
            return seen.clone();
        }
        let (amocrm, erp) = tokio::join!(within(self.amocrm.probe()), within(self.ledger.probe()));
        let seen = [
            Neighbour { name: ["amoCRM", "amoCRM"], problem: amocrm.err() },
            Neighbour { name: ["ERP", "ERP"], problem: erp.err() },
        ];
        *called = Some((Instant::now(), seen.clone()));
        seen
    }
}

async fn within<E: std::fmt::Display>(
    asked: impl Future<Output = Result<(), E>>,
) -> Result<(), String> {
    match timeout(PATIENCE, asked).await {
        Ok(answer) => answer.map_err(|error| format!("{error:#}")),
        Err(_) => Err(format!("no answer within {PATIENCE:?}")),
    }
}
