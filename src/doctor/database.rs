//! The database, and what waits in it.

use jiff::SignedDuration;

use super::Finding;
use crate::clock::SharedClock;
use crate::store::Store;

/// Inngest usually has a webhook within a second.
const LONG: SignedDuration = SignedDuration::from_mins(10);

pub(super) async fn examine(store: &anyhow::Result<Store>, clock: &SharedClock) -> Vec<Finding> {
    let check = "database";
    let failed = |error: &anyhow::Error| {
        let fix =
            "check DATABASE_URL, the rights of the file and its folder, and the space on the disk";
        vec![Finding::error(check, format!("{error:#}"), fix)]
    };
    let counts = match store {
        Ok(store) => store.inbox_counts().await,
        Err(error) => return failed(error),
    };
    let counts = match counts {
        Ok(counts) => counts,
        Err(error) => return failed(&error),
    };
    let mut findings =
        vec![Finding::ok(check, format!("{} leads wait for Inngest", counts.waiting))];
    if let Some(oldest) = counts.oldest_waiting
        && clock.now().duration_since(oldest) > LONG
    {
        findings.push(Finding::warning(
            "inbox",
            format!("the oldest lead waits since {oldest:.0}"),
            "check that the service runs and that Inngest takes its events",
        ));
    }
    if counts.parked > 0 {
        findings.push(Finding::error(
            "inbox",
            format!("Inngest refuses {} leads for good", counts.parked),
            "look at the log for \"Inngest refuses an event\"; these leads have no record in the ERP",
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
