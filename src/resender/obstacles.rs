//! Whether what deals wait for is there.

use std::collections::HashMap;
use std::time::Duration;

use functions::ports::WaitsFor;

use crate::amocrm::AmoCrmPort;
use crate::clock::SharedClock;
use crate::deals::{Ledger, Obstacle};

/// What deals can wait for.
pub(crate) trait Obstacles: Send {
    /// Whether a deal that waits for this would get further now.
    fn look(&mut self, waits_for: WaitsFor) -> impl Future<Output = Obstacle> + Send;
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
    seen: HashMap<WaitsFor, Seen>,
}

/// What the last question has shown.
struct Seen {
    obstacle: Obstacle,
    /// When to ask again, by the uptime.
    next: Duration,
    /// How long that was from the last question.
    wait: Duration,
}

impl Systems {
    pub(crate) fn new(ledger: Ledger, amocrm: AmoCrmPort, clock: SharedClock) -> Self {
        Self { ledger, amocrm, clock, seen: HashMap::new() }
    }

    async fn ask(&self, waits_for: WaitsFor) -> Result<(), String> {
        let amocrm = async || self.amocrm.probe().await.map_err(|away| away.trouble.to_string());
        match waits_for {
            WaitsFor::Erp => self.ledger.probe().await.map_err(|trouble| trouble.to_string()),
            WaitsFor::AmoCrm => amocrm().await,
            // What is stored says no without a call, but not yes: amoCRM may have taken the consent back.
            WaitsFor::Consent => match self.amocrm.needs_consent().await {
                Ok(true) => Err("amoCRM needs to be authorised again".to_owned()),
                Ok(false) => amocrm().await,
                Err(error) => Err(error.to_string()),
            },
            WaitsFor::Person => Err("a person decides".to_owned()),
        }
    }
}

impl Obstacles for Systems {
    async fn look(&mut self, waits_for: WaitsFor) -> Obstacle {
        let last = self.seen.get(&waits_for);
        if let Some(last) = last
            && self.clock.uptime() < last.next
        {
            // What was just back has been heeded.
            return if last.obstacle == Obstacle::Away { Obstacle::Away } else { Obstacle::Gone };
        }
        let was_there = last.is_some_and(|last| last.obstacle != Obstacle::Away);
        let waited = last.map_or(Duration::ZERO, |last| last.wait);
        let (obstacle, wait) = match self.ask(waits_for).await {
            Ok(()) if was_there => (Obstacle::Gone, LONGEST_WAIT),
            Ok(()) => {
                tracing::info!(?waits_for, "deals that waited for it go on");
                (Obstacle::JustGone, LONGEST_WAIT)
            }
            Err(reason) => {
                // Once, and again when it was there in between.
                if was_there || last.is_none() {
                    tracing::warn!(?waits_for, "deals wait: {reason}");
                }
                let longer = if was_there { FIRST_WAIT } else { waited * 2 };
                (Obstacle::Away, longer.clamp(FIRST_WAIT, LONGEST_WAIT))
            }
        };
        let next = self.clock.uptime() + wait;
        self.seen.insert(waits_for, Seen { obstacle, next, wait });
        obstacle
    }
}
