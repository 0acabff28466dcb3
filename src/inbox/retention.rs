//! How long webhook bodies are kept.

use std::time::Duration;

use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

use super::store::Inbox;
use super::table;
use crate::heartbeat::Heartbeat;

/// How long a webhook's body is kept: long enough to look into a complaint, not longer. It holds what people
/// wrote into their CRM.
pub(crate) const KEEP_BODIES_FOR: SignedDuration = SignedDuration::from_hours(30 * 24);

const ONE_DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// From a failure to the next try.
const AGAIN: Duration = Duration::from_secs(10 * 60);

/// Removes old webhook bodies now and then once a day, until `stop`.
pub(crate) async fn purge_daily(inbox: Inbox, heartbeat: Heartbeat, stop: CancellationToken) {
    loop {
        let pause = match purge(&inbox).await {
            Ok(bodies) => {
                if bodies > 0 {
                    tracing::info!(bodies, "old webhook bodies removed");
                }
                heartbeat.beat(ONE_DAY);
                ONE_DAY
            }
            Err(error) => {
                let error = format!("{error:#}");
                tracing::warn!(error, "old webhook bodies were not removed; next try in {AGAIN:?}");
                AGAIN
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Removes them a part at a time, so that no statement takes long and webhooks come in between.
async fn purge(inbox: &Inbox) -> anyhow::Result<u64> {
    let (before, mut removed) = (inbox.db.time() - KEEP_BODIES_FOR, 0);
    loop {
        let bodies = table::purge_bodies(&inbox.db, before).await?;
        removed += bodies;
        if bodies == 0 {
            return Ok(removed);
        }
    }
}
