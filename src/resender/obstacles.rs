//! Whether what deals wait for is there.

use std::collections::HashMap;
use std::time::Duration;

use functions::ports::WaitsFor;

use crate::amocrm::AmoCrmPort;
use crate::clock::SharedClock;
use crate::deals::Ledger;

/// What deals can wait for.
pub(crate) trait Obstacles: Send {
    /// Whether a deal that waits for this would get further now.
    fn is_gone(&mut self, waits_for: WaitsFor) -> impl Future<Output = bool> + Send;
}

/// The first wait after a question that was answered with no.
const FIRST_WAIT: Duration = Duration::from_secs(15);

/// The longest one. So long a deal may wait after the ERP or amoCRM is back.
const LONGEST_WAIT: Duration = Duration::from_secs(2 * 60);

/// The ERP and amoCRM, each asked by a call that changes nothing, and less often while it is away.
pub(crate) struct Systems {
    ledger: Ledger,
    amocrm: AmoCrmPort,
    clock: SharedClock,
    next: HashMap<WaitsFor, Next>,
}

/// When a system is asked next.
struct Next {
    at: Duration,
    wait: Duration,
}

impl Systems {
    pub(crate) fn new(ledger: Ledger, amocrm: AmoCrmPort, clock: SharedClock) -> Self {
        Self { ledger, amocrm, clock, next: HashMap::new() }
    }

    async fn ask(&self, waits_for: WaitsFor) -> Result<(), String> {
        match waits_for {
            WaitsFor::Erp => self.ledger.probe().await.map_err(|error| error.to_string()),
            WaitsFor::AmoCrm => self.amocrm.probe().await.map_err(|error| error.to_string()),
            // What is stored says no without a call, but not yes: amoCRM may have taken the consent back.
            WaitsFor::Consent => match self.amocrm.needs_consent().await {
                Ok(true) => Err("amoCRM needs to be authorised again".to_owned()),
                Ok(false) => self.amocrm.probe().await.map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            },
            WaitsFor::Person => Err("a person decides".to_owned()),
        }
    }
}

impl Obstacles for Systems {
    async fn is_gone(&mut self, waits_for: WaitsFor) -> bool {
        let now = self.clock.uptime();
        if self.next.get(&waits_for).is_some_and(|next| now < next.at) {
            return false;
        }
        match self.ask(waits_for).await {
            Ok(()) => {
                self.next.remove(&waits_for);
                true
            }
            Err(reason) => {
                let wait = self.next.get(&waits_for).map_or(FIRST_WAIT, |next| next.wait * 2);
                let wait = wait.min(LONGEST_WAIT);
                tracing::debug!(?waits_for, reason, ?wait, "deals still wait for it");
                self.next.insert(waits_for, Next { at: self.clock.uptime() + wait, wait });
                false
            }
        }
    }
}
