//! The service is registered with Inngest before a deal is forwarded, and again when Inngest has forgotten it.
//!
//! A server that does not know a function accepts its events all the same, and starts nothing. So one cheap question is asked
//! at the start, from time to time, and after events were sent: which functions are known? What is missing is registered.
//! Where this service does not know its own address, a person has Inngest register it, and it is seen here.

mod address;
mod gate;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use inngest::{Endpoint, RegistrationError};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::heartbeat::Heartbeat;
use crate::metrics::Metrics;
pub(crate) use address::Address;
pub(crate) use gate::Gate;
use gate::State;

/// How often to ask.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// While Inngest knows the functions: timers that start functions stand still until a server that forgot them is told
    /// again.
    pub(crate) period: Duration,
    /// The first wait while Inngest does not know the functions, or cannot be asked: twice as long each time.
    pub(crate) first_retry: Duration,
    /// The longest of these waits.
    pub(crate) longest_retry: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            period: Duration::from_secs(5 * 60),
            first_retry: Duration::from_millis(500),
            longest_retry: Duration::from_secs(30),
        }
    }
}

/// How long not to ask again, however many events are sent.
const BETWEEN_QUESTIONS: Duration = Duration::from_secs(5);

/// The longest wait that Inngest can ask for: a wrong header must not hold the registration for a day.
const LONGEST_PAUSE: Duration = Duration::from_secs(10 * 60);

/// How long deals wait for a registration that is not seen. Then they are forwarded: where Inngest does know the functions
/// they must not wait for ever, and where it does not they are sent again.
const PATIENCE: Duration = Duration::from_secs(30);

/// The same while Inngest cannot be asked: then it takes no events either, as a rule.
const PATIENCE_WHILE_AWAY: Duration = Duration::from_secs(2 * 60);

/// How often to register where that is not known to be of use.
const UNSEEN: Duration = Duration::from_secs(10 * 60);

/// What a person has to do where the address is not known.
pub(crate) const BY_HAND: &str = "sync the app in the Inngest dashboard with the address of /api/inngest, or set \
                                  INNGEST_SERVE_ORIGIN and restart: then the service registers itself";

/// What to do where Inngest refuses the signing key.
pub(crate) const SIGNING_KEY: &str =
    "copy INNGEST_SIGNING_KEY from the Inngest dashboard, of the same environment as the event key";

/// The deals that Inngest has lost.
pub(crate) trait LostDeals: Send + Sync {
    /// Sends them again. Returns how many.
    fn resend(&self) -> impl Future<Output = anyhow::Result<usize>> + Send;
}

/// Keeps the service registered.
pub(crate) struct Registrar<L> {
    endpoint: Endpoint,
    address: Address,
    lost: L,
    metrics: Metrics,
    pub(crate) pace: Pace,
    state: watch::Sender<State>,
    sent: Arc<Notify>,
    /// When the service was last registered, or that was tried.
    registered: Option<Instant>,
    /// Inngest took that registration.
    accepted: bool,
    /// Inngest has shown the functions since then.
    seen: bool,
    /// Inngest knew nothing of this service: what it was given before is lost.
    forgotten: bool,
    /// How long Inngest asks to wait.
    pause: Option<Duration>,
    /// Since when the functions are not shown, and how often Inngest had made use of them by then.
    unknown_since: Option<(Instant, u64)>,
    /// How long deals wait for that.
    patience: Duration,
}

/// What is known after a question.
#[derive(Debug)]
enum Answer {
    Known,
    /// Inngest does not know the functions.
    Unknown(String),
    /// Inngest cannot be asked now.
    Away(String),
}

impl<L: LostDeals> Registrar<L> {
    /// Registers `endpoint` at `address`. Returns the gate that opens then, too.
    pub(crate) fn new(
        endpoint: Endpoint,
        address: Address,
        lost: L,
        metrics: Metrics,
    ) -> (Self, Gate) {
        let (state, receiver) =
            watch::channel(State::Waiting("Inngest is asked which functions it knows".to_owned()));
        let sent: Arc<Notify> = Arc::default();
        let gate = Gate { state: receiver, sent: Arc::clone(&sent) };
        let registrar = Self {
            endpoint,
            address,
            lost,
            metrics,
            pace: Pace::default(),
            state,
            sent,
            registered: None,
            accepted: false,
            seen: false,
            forgotten: false,
            pause: None,
            unknown_since: None,
            patience: PATIENCE,
        };
        (registrar, gate)
    }

    /// Registers and watches until `stop`.
    pub(crate) async fn run(mut self, heartbeat: Heartbeat, stop: CancellationToken) {
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.watch(heartbeat) => {}
        }
    }

    async fn watch(&mut self, heartbeat: Heartbeat) {
        let mut retry = self.pace.first_retry;
        loop {
            let answer = self.ask().await;
            let is_settled = matches!(answer, Answer::Known);
            self.show(answer);
            if is_settled {
                retry = self.pace.first_retry;
                heartbeat.beat(BETWEEN_QUESTIONS + self.pace.period);
                self.rest().await;
            } else {
                let asked = self.pause.take().unwrap_or_default().min(LONGEST_PAUSE);
                heartbeat.beat(retry.max(asked));
                self.wait(retry.max(asked)).await;
                retry = (retry * 2).min(self.pace.longest_retry);
            }
        }
    }

    /// Asks which functions Inngest knows, and registers what is missing.
    async fn ask(&mut self) -> Answer {
        let missing = match self.missing().await {
            Ok(missing) => missing,
            Err(error) if error.is_outage() => return self.failed(&error),
            // It cannot be asked that. Then a registration that it takes must do.
            Err(error) => return self.register(&reason(&error)).await,
        };
        if missing == 0 {
            return self.all_known().await;
        }
        self.forgotten |= missing == self.endpoint.function_ids().count();
        let answer = self.register("Inngest does not know the functions").await;
        match answer {
            Answer::Known if matches!(self.missing().await, Ok(0)) => self.all_known().await,
            answer => answer,
        }
    }

    async fn missing(&self) -> Result<usize, RegistrationError> {
        self.endpoint.unknown_functions().await.map(|missing| missing.len())
    }

    async fn all_known(&mut self) -> Answer {
        self.seen = true;
        // They are known by their names. What is in them may be that of another version.
        if !self.accepted && matches!(self.address, Address::Declared(_)) && self.may_try() {
            let answer = self.register("").await;
            if let Answer::Unknown(reason) | Answer::Away(reason) = answer {
                tracing::warn!(reason, "the functions of this version could not be registered");
            }
        }
        if self.forgotten {
            match self.lost.resend().await {
                Ok(0) => self.forgotten = false,
                Ok(deals) => {
                    self.forgotten = false;
                    self.metrics.deals_resent(deals);
                    tracing::warn!(
                        deals,
                        "Inngest had forgotten the functions; its deals are sent again"
                    );
                }
                Err(error) => tracing::error!(
                    error = format!("{error:#}"),
                    "the deals that Inngest has lost could not be sent again at once"
                ),
            }
        }
        Answer::Known
    }

    /// Registers, because of `why`.
    async fn register(&mut self, why: &str) -> Answer {
        let Some(url) = self.address.url() else {
            return Answer::Unknown(format!("{why}; {BY_HAND}"));
        };
        // What is not shown although it was registered is no reason to register again and again.
        if self.accepted && !self.seen && !self.may_try() {
            return Answer::Known;
        }
        let registered = self.endpoint.register_at(url.clone()).await;
        self.registered = Some(Instant::now());
        self.accepted = registered.is_ok();
        match registered {
            Ok(_) => {
                self.seen = false;
                Answer::Known
            }
            Err(error) => self.failed(&error),
        }
    }

    fn failed(&mut self, error: &RegistrationError) -> Answer {
        self.pause = error.retry_after();
        let reason = reason(error);
        if error.is_outage() { Answer::Away(reason) } else { Answer::Unknown(reason) }
    }

    fn may_try(&self) -> bool {
        self.registered.is_none_or(|then| then.elapsed() >= UNSEEN)
    }

    /// Opens or shuts the gate.
    fn show(&mut self, answer: Answer) {
        let before = self.state.borrow().clone();
        let reason = match answer {
            Answer::Known => {
                self.unknown_since = None;
                return self.change(State::Known);
            }
            // What was known is not forgotten because of that. The forwarder sees for itself that Inngest is away.
            Answer::Away(_) if before == State::Known => return,
            Answer::Away(reason) => {
                self.patience = PATIENCE_WHILE_AWAY;
                reason
            }
            Answer::Unknown(reason) => {
                self.patience = PATIENCE;
                reason
            }
        };
        let contacts = self.endpoint.contacts();
        let (since, contacts_then) =
            *self.unknown_since.get_or_insert_with(|| (Instant::now(), contacts));
        self.change(if contacts != contacts_then {
            State::Known
        } else if since.elapsed() < self.patience {
            State::Waiting(reason)
        } else {
            State::Unsure(reason)
        });
    }

    fn change(&mut self, state: State) {
        self.metrics.inngest_registered(state == State::Known);
        if *self.state.borrow() == state {
            return;
        }
        match &state {
            State::Known => tracing::info!("Inngest knows the functions"),
            State::Waiting(reason) => {
                tracing::warn!(reason, "deals wait for the registration with Inngest");
            }
            State::Unsure(reason) => tracing::warn!(
                reason,
                "the registration with Inngest was not seen; deals are forwarded, and sent again if they start nothing"
            ),
        }
        self.state.send_replace(state);
    }

    /// Until it is time to ask a server that knew everything.
    async fn rest(&self) {
        tokio::time::sleep(BETWEEN_QUESTIONS).await;
        tokio::select! {
            () = self.sent.notified() => {}
            () = tokio::time::sleep(self.pace.period) => {}
        }
    }

    /// For `time`, or until there is something new for deals that wait: Inngest has called, or they have waited for long
    /// enough.
    async fn wait(&self, time: Duration) {
        let (asked, contacts) = (Instant::now(), self.endpoint.contacts());
        let state = self.state.borrow().clone();
        while asked.elapsed() < time {
            let waited = self.unknown_since.map(|(since, _)| since.elapsed());
            let enough = matches!(state, State::Waiting(_)) && waited >= Some(self.patience);
            let has_called = state != State::Known && self.endpoint.contacts() != contacts;
            if enough || has_called {
                return;
            }
            tokio::time::sleep(self.pace.first_retry).await;
        }
    }
}

/// In one line, with what to do.
fn reason(error: &RegistrationError) -> String {
    let text: String =
        error.to_string().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    match error {
        RegistrationError::Refused { status, .. } | RegistrationError::NotTold { status, .. }
            if matches!(status.as_u16(), 401 | 403) =>
        {
            format!("{text}; {SIGNING_KEY}")
        }
        _ => text,
    }
}
