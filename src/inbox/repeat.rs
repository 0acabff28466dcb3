//! Webhooks that amoCRM sends again because they were answered 503, though they may have been stored.
//!
//! A commit that comes too late for the answer, or whose outcome is unknown, leaves a webhook behind that amoCRM repeats.
//! Where a lead has one record forever, the repeat is the same deal. With one record for each event it would be another
//! one, so what was not answered 200 is remembered, and its repeat is known by its bytes. A process that ends in between
//! forgets it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use crate::clock::SharedClock;

/// amoCRM's last attempt comes 95 minutes after the first.
const KEPT: Duration = Duration::from_secs(2 * 60 * 60);

/// The most that are remembered. Older ones go first.
const MOST: usize = 10_000;

/// The webhooks that may have been stored and were not answered 200. Clones share them.
#[derive(Clone)]
pub(super) struct Unanswered {
    clock: SharedClock,
    webhooks: Arc<Mutex<HashMap<Fingerprint, Attempt>>>,
}

pub(super) type Fingerprint = [u8; 32];

/// An attempt to store a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Attempt {
    /// The row of its body.
    pub(super) body_id: String,
    /// The rows of its leads.
    pub(super) ids: Vec<String>,
    at: Duration,
}

/// Notes the attempt unless it is told that the attempt went well.
pub(super) struct Noting<'u> {
    unanswered: &'u Unanswered,
    fingerprint: Fingerprint,
    attempt: Option<Attempt>,
}

impl Unanswered {
    pub(super) fn new(clock: SharedClock) -> Self {
        Self { clock, webhooks: Arc::default() }
    }

    pub(super) fn fingerprint(content: &[u8]) -> Fingerprint {
        Sha256::digest(content).into()
    }

    /// The attempt to store this webhook that was not answered 200.
    pub(super) fn earlier(&self, fingerprint: &Fingerprint) -> Option<Attempt> {
        self.lock().remove(fingerprint)
    }

    /// An attempt begins. Dropped half-way, it is noted too.
    pub(super) fn begins(
        &self,
        fingerprint: Fingerprint,
        body_id: String,
        ids: Vec<String>,
    ) -> Noting<'_> {
        let attempt = Some(Attempt { body_id, ids, at: self.clock.uptime() });
        Noting { unanswered: self, fingerprint, attempt }
    }

    fn note(&self, fingerprint: Fingerprint, attempt: Attempt) {
        let mut webhooks = self.lock();
        let now = attempt.at;
        webhooks.retain(|_, attempt| now.saturating_sub(attempt.at) < KEPT);
        if webhooks.len() >= MOST {
            let oldest = webhooks.iter().min_by_key(|(_, attempt)| attempt.at).map(|(key, _)| *key);
            oldest.map(|key| webhooks.remove(&key));
        }
        webhooks.insert(fingerprint, attempt);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Fingerprint, Attempt>> {
        self.webhooks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Noting<'_> {
    /// It is stored, and is going to be answered 200.
    pub(super) fn stored(mut self) {
        self.attempt = None;
    }
}

impl Drop for Noting<'_> {
    fn drop(&mut self) {
        if let Some(attempt) = self.attempt.take() {
            self.unanswered.note(self.fingerprint, attempt);
        }
    }
}
