//! The database, and what waits in it.

use jiff::SignedDuration;

use super::Finding;
use crate::db::{Db, LARGEST_SKEW, off_by};
use crate::deals;
use crate::inbox::Inbox;

/// Inngest usually has a webhook within a second.
const LONG: SignedDuration = SignedDuration::from_mins(10);

pub(super) async fn examine(store: &anyhow::Result<Db>) -> Vec<Finding> {
    let check = "database";
    let failed = |error: &anyhow::Error| {
        let fix =
            "check DATABASE_URL, the rights of the file and its folder, and the space on the disk";
        vec![Finding::error(check, format!("{error:#}"), fix)]
    };
    let store = match store {
        Ok(store) => store,
        Err(error) => return failed(error),
    };
    let inbox = Inbox::new(store.clone());
    let (counts, deals) = match tokio::try_join!(inbox.counts(), deals::counts(store)) {
        Ok(counts) => counts,
        Err(error) => return failed(&error),
    };
    let mut findings =
        vec![Finding::ok(check, format!("{} leads wait for Inngest", counts.waiting))];
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
            format!("the oldest lead has waited since {oldest:.0}"),
            "check that the service runs and that Inngest takes its events",
        ));
    }
    if counts.parked > 0 {
        findings.push(Finding::error(
            "inbox",
            format!("Inngest refused {} leads, which were given up and have no record", counts.parked),
            "prometei-flow deals names them and the reasons; prometei-flow deals retry sends them again",
        ));
    }
    if deals.failed + deals.in_doubt > 0 {
        findings.push(Finding::warning(
            "deals",
            format!(
                "{} have no record, of {} more it is not known whether they have one",
                deals.failed, deals.in_doubt
            ),
            "prometei-flow deals list names them, and what to do",
        ));
    }
    if counts.unparsable > 0 {
        findings.push(Finding::warning(
            "inbox",
            format!("{} webhooks could not be read, or not all of them", counts.unparsable),
            "look at the table webhook_bodies, column problem",
        ));
    }
    findings
}
