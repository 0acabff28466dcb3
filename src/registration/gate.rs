use std::sync::Arc;

use tokio::sync::{Notify, watch};

use crate::trouble::Trouble;

/// What is done about a registration that only takes time.
const TRIED_AGAIN: &str = "it is tried again by itself; check the network and INNGEST_BASE_URL";

/// Whether Inngest knows the functions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    /// It does.
    Known,
    /// It does not, as far as is known, for this reason; events would start nothing.
    Waiting(String),
    /// The same, and it was waited for long enough: a deal that starts nothing is sent again later.
    Unsure(String),
}

/// Events pass it once Inngest knows the functions. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    pub(super) state: watch::Receiver<State>,
    pub(super) sent: Arc<Notify>,
}

impl Gate {
    /// One that nothing shuts.
    #[cfg(test)]
    pub(crate) fn open() -> Self {
        Self { state: watch::channel(State::Known).1, sent: Arc::default() }
    }

    /// A gate that is shut, and what opens it.
    #[cfg(test)]
    pub(crate) fn shut() -> (Self, impl FnOnce()) {
        let (sender, state) = watch::channel(State::Waiting("not yet".to_owned()));
        let open = move || drop(sender.send(State::Known));
        (Self { state, sent: Arc::default() }, open)
    }

    /// Waits until events may pass.
    pub(crate) async fn opened(&mut self) {
        // An error means that the service ends: then there is nothing more to wait for.
        let _ = self.state.wait_for(|state| !matches!(state, State::Waiting(_))).await;
    }

    /// Why no event passes; `None` where events do.
    pub(crate) fn reason(&self) -> Option<String> {
        match &*self.state.borrow() {
            State::Waiting(reason) => {
                Some(format!("waits for the registration with Inngest: {reason}"))
            }
            State::Known | State::Unsure(_) => None,
        }
    }

    /// Inngest has accepted events: whether it still knows what they start is worth a question.
    pub(crate) fn sent(&self) {
        self.sent.notify_one();
    }

    /// Why Inngest may start nothing; `None` where it knows the functions.
    pub(crate) fn problem(&self) -> Option<Trouble> {
        let (problem, reason) = match &*self.state.borrow() {
            State::Known => return None,
            State::Waiting(reason) => ("deals wait for the registration", reason.clone()),
            State::Unsure(reason) => ("deals are forwarded, and may start nothing", reason.clone()),
        };
        // The reason names the remedy after its last semicolon, where there is one.
        let (what, remedy) = reason.rsplit_once("; ").unwrap_or((&reason, TRIED_AGAIN));
        Some(Trouble::new(format!("{problem}: {what}"), remedy))
    }

    /// Whether Inngest knows the functions, in words.
    pub(crate) fn describe(&self) -> String {
        match &*self.state.borrow() {
            State::Known => "knows the functions".to_owned(),
            State::Waiting(reason) => format!("deals wait for the registration: {reason}"),
            State::Unsure(reason) => {
                format!("deals are forwarded, and may start nothing: {reason}")
            }
        }
    }
}
