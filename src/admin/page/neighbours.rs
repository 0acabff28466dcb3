//! The systems around this service, and whether they work.

use std::time::Duration;

use functions::ports::AmoCrm as _;
use jiff::Timestamp;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::words::Text;
use crate::admin::Admin;
use crate::amocrm::AmoCrmPort;
use crate::db;
use crate::deals::Ledger;
use crate::inbox::Inbox;
use crate::registration::Gate;
use crate::trouble::Trouble;

/// How long one is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long the answer of one that is asked by a call counts: a page that is loaded again and again must not use up what
/// amoCRM allows.
const FRESH: Duration = Duration::from_secs(60);

/// What to do where Inngest takes no events.
const TAKES_NO_EVENTS: &str = "check that Inngest runs, the network, INNGEST_BASE_URL and INNGEST_EVENT_KEY; events wait here \
                               and go on by themselves";

/// A system, and whether it works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Neighbour {
    pub(super) name: Text,
    pub(super) health: Health,
}

/// Whether a system works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Health {
    Works,
    /// It does, with a token that ends then.
    WorksUntil(Timestamp, Renewal),
    /// It does not. A person does what is said.
    Fails(Trouble),
    /// It does not, until a person gives consent there.
    NeedsConsent(Trouble),
}

/// What becomes of a token at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Renewal {
    ByItself,
    ByAPerson,
}

impl Neighbour {
    /// What is wrong with it.
    pub(super) fn trouble(&self) -> Option<&Trouble> {
        match &self.health {
            Health::Works | Health::WorksUntil(..) => None,
            Health::Fails(trouble) | Health::NeedsConsent(trouble) => Some(trouble),
        }
    }
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
        all.push(Neighbour { name: ["Inngest", "Inngest"], health: self.inngest().await });
        let database = match within(self.inbox.prove_writable()).await {
            Some(Ok(())) => Health::Works,
            Some(Err(error)) => Health::Fails(db::trouble(&error)),
            None => Health::Fails(db::trouble(&anyhow::anyhow!(no_answer()))),
        };
        all.push(Neighbour { name: ["Database", "База данных"], health: database });
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
        let (amocrm, erp) = tokio::join!(within(self.amocrm()), within(self.ledger.probe()));
        let silent = |advice: &str| Health::Fails(Trouble::new(no_answer(), advice));
        let erp = match erp {
            Some(Ok(())) => Health::Works,
            Some(Err(trouble)) => Health::Fails(trouble),
            None => silent("check CRM_API_URL and the network"),
        };
        let amocrm = amocrm.unwrap_or_else(|| silent("check AMOCRM_SUBDOMAIN and the network"));
        let seen = [
            Neighbour { name: ["amoCRM", "amoCRM"], health: amocrm },
            Neighbour { name: ["ERP", "ERP"], health: erp },
        ];
        *called = Some((Instant::now(), seen.clone()));
        seen
    }

    /// Inngest is not asked: that it knows the functions and takes events is seen where deals go there.
    async fn inngest(&self) -> Health {
        if let Some(trouble) = self.gate.problem() {
            return Health::Fails(trouble);
        }
        let held = within(self.inbox.held(1)).await.and_then(Result::ok).unwrap_or_default();
        match held.into_iter().find(|event| event.attempts > 0) {
            Some(event) => Health::Fails(Trouble::new(event.reason, TAKES_NO_EVENTS)),
            None => Health::Works,
        }
    }

    async fn amocrm(&self) -> Health {
        match self.amocrm.probe().await {
            Err(away) if away.needs_consent => Health::NeedsConsent(away.trouble),
            Err(away) => Health::Fails(away.trouble),
            Ok(()) => {
                let lasting = self.amocrm.client().ok().and_then(|it| it.auth().long_lived_until());
                if let Some(until) = lasting {
                    return Health::WorksUntil(until, Renewal::ByAPerson);
                }
                let token = self.amocrm.authorize().await.ok();
                match token.and_then(|token| token.expires_at) {
                    Some(until) => Health::WorksUntil(until, Renewal::ByItself),
                    None => Health::Works,
                }
            }
        }
    }
}

fn no_answer() -> String {
    format!("no answer within {PATIENCE:?}")
}

/// `None`: there was no answer in time.
async fn within<T>(asked: impl Future<Output = T>) -> Option<T> {
    timeout(PATIENCE, asked).await.ok()
}
