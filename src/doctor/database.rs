//! The database, and what waits in it.

use jiff::SignedDuration;

use super::Finding;
use crate::db::{self, Db, LARGEST_SKEW, off_by};
use crate::deals::{self, Rules};
use crate::inbox::Inbox;

/// Inngest usually has a webhook within a second.
const LONG: SignedDuration = SignedDuration::from_mins(10);

pub(super) async fn examine(store: &anyhow::Result<Db>) -> Vec<Finding> {
    let check = "database";
    let failed = |error: &anyhow::Error| vec![Finding::of(check, db::trouble(error))];
    let store = match store {
        Ok(store) => store,
        Err(error) => return failed(error),
    };
    let inbox = Inbox::new(store.clone(), Rules::default());
    let (counts, deals) = match tokio::try_join!(inbox.counts(), deals::counts(store)) {
        Ok(counts) => counts,
        Err(error) => return failed(&error),
    };
    let mut findings =
        vec![Finding::ok(check, format!("{} events wait for Inngest", counts.waiting))];
    if let Some(ahead) = store.clock_skew().filter(|ahead| ahead.abs() > LARGEST_SKEW) {
        findings.push(Finding::warning(
            "database clock",
            off_by(ahead),
            "set both clocks by NTP (timedatectl, chronyc)",
        ));
    }
    if let Some(oldest) = counts.oldest_waiting
        && store.time().duration_since(oldest) > LONG
    {
        findings.push(Finding::warning(
            "inbox",
            format!("the oldest event has waited since {oldest:.0}"),
            "check that the service runs and that Inngest takes its events",
        ));
    }
    if deals.needs_person > 0 {
        findings.push(Finding::error(
            "deals",
            format!("deals that need a person: {}", deals.needs_person),
            "prometei-flow deals names them, the reasons, and what to do",
        ));
    }
    let by_themselves = deals.failed - deals.needs_person;
    if by_themselves > 0 {
        findings.push(Finding::warning(
            "deals",
            format!(
                "deals that have failed so far and are tried again by themselves: {by_themselves}"
            ),
            "prometei-flow deals names them, the reasons, and when",
        ));
    }
    if counts.unparsable > 0 {
        findings.push(Finding::warning(
            "inbox",
            format!("webhooks that could not be read, or not all of them: {}", counts.unparsable),
            "prometei-flow deals list names them, and why",
        ));
    }
    findings
}
