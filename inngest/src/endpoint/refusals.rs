//! Requests that were refused: counted, and logged once a minute. With a line for each, any client could fill the log.

use std::sync::{Mutex, PoisonError};

const SECONDS_BETWEEN_LINES: u64 = 60;

/// How many requests an endpoint has refused since it was built, by reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refused {
    /// They carried no signature.
    pub unsigned: u64,
    /// Their signature header could not be read.
    pub malformed: u64,
    /// Their signature was more than five minutes away from this machine's clock.
    pub stale: u64,
    /// Their signature was not made by a key of ours for this body.
    pub forged: u64,
    /// The endpoint has no key to check with.
    pub without_key: u64,
    /// Their signature fits what their body was before something on the way wrote its JSON anew. Looked for once a minute,
    /// in one of those that count as [`forged`](Self::forged) otherwise.
    pub rewritten: u64,
    /// Their body was claimed to be signed, and did not arrive in time or found no room
    /// ([`room_for_bodies`](crate::App::room_for_bodies)).
    pub unread: u64,
}

#[derive(Clone, Copy)]
pub(super) enum Reason {
    Unsigned,
    Malformed,
    Stale(i64),
    Forged,
    Rewritten,
    WithoutKey,
    Unread,
}

#[derive(Default)]
pub(super) struct Refusals(Mutex<Counts>);

#[derive(Default)]
struct Counts {
    all: Refused,
    logged: Refused,
    last_line: Option<i64>,
    last_distance: i64,
    last_closer_look: Option<i64>,
}

impl Refusals {
    pub(super) fn so_far(&self) -> Refused {
        self.counts().all
    }

    pub(super) fn count(&self, reason: Reason, now: i64) {
        let mut counts = self.counts();
        let all = &mut counts.all;
        let slot = match reason {
            Reason::Unsigned => &mut all.unsigned,
            Reason::Malformed => &mut all.malformed,
            Reason::Stale(_) => &mut all.stale,
            Reason::Forged => &mut all.forged,
            Reason::Rewritten => &mut all.rewritten,
            Reason::WithoutKey => &mut all.without_key,
            Reason::Unread => &mut all.unread,
        };
        *slot += 1;
        if let Reason::Stale(distance) = reason {
            counts.last_distance = distance;
        }
        counts.log_if_due(now);
    }

    /// Whether a forged request may cost more than it would by itself, so that the reason is found.
    pub(super) fn may_look_closer(&self, now: i64) -> bool {
        let mut counts = self.counts();
        let due = is_due(counts.last_closer_look, now);
        if due {
            counts.last_closer_look = Some(now);
        }
        due
    }

    /// For accepted requests: what was refused in the minute before must not wait for the next refusal to be logged.
    pub(super) fn log_if_due(&self, now: i64) {
        self.counts().log_if_due(now);
    }

    fn counts(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    fn log_if_due(&mut self, now: i64) {
        if self.all == self.logged || !is_due(self.last_line, now) {
            return;
        }
        let (all, logged) = (self.all, self.logged);
        let unsigned = all.unsigned - logged.unsigned;
        let malformed = all.malformed - logged.malformed;
        let stale = all.stale - logged.stale;
        let forged = all.forged - logged.forged;
        let rewritten = all.rewritten - logged.rewritten;
        let without_key = all.without_key - logged.without_key;
        let unread = all.unread - logged.unread;
        let hints = [
            (without_key, "cloud mode needs INNGEST_SIGNING_KEY, or INNGEST_DEV=1 for development"),
            (
                rewritten,
                "something before this app writes the JSON of bodies anew, which no signature survives; have it pass \
                 bodies as they are",
            ),
            (
                forged,
                "if runs fail, INNGEST_SIGNING_KEY is not the key of the environment that calls, or a proxy changes bodies",
            ),
            (malformed, "if runs fail, a proxy changes the signature header"),
            (stale, "if runs fail, set this machine's clock"),
            (
                unsigned,
                "a dev server signs nothing and needs INNGEST_DEV=1 here; other unsigned requests are no concern of yours",
            ),
            (unread, "if runs fail, give large bodies more room or the network more speed"),
        ];
        let hints: Vec<_> = hints.iter().filter(|(n, _)| *n > 0).map(|(_, hint)| *hint).collect();
        let stale_by_seconds = if stale > 0 { self.last_distance } else { 0 };
        tracing::warn!(
            unsigned,
            malformed,
            stale,
            stale_by_seconds,
            forged,
            rewritten,
            without_key,
            unread,
            "refused requests that Inngest cannot be shown to have sent: {}",
            hints.join("; ")
        );
        self.logged = all;
        self.last_line = Some(now);
    }
}

/// A clock that was set back must not silence the log, so the distance counts.
fn is_due(last: Option<i64>, now: i64) -> bool {
    last.is_none_or(|last| now.abs_diff(last) >= SECONDS_BETWEEN_LINES)
}
