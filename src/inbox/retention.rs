//! How long webhook bodies are kept.

use std::time::Duration;

use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

use super::store::Inbox;
use super::table;

/// How long a webhook's body is kept: long enough to look into a complaint, not longer. It holds what people
/// wrote into their CRM.
pub const KEEP_BODIES_FOR: SignedDuration = SignedDuration::from_hours(30 * 24);

const ONE_DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Removes old webhook bodies now and then once a day, until `stop`.
pub async fn purge_daily(inbox: Inbox, stop: CancellationToken) {
    loop {
        match table::purge_bodies(&inbox.db, inbox.db.clock().now() - KEEP_BODIES_FOR).await {
            Ok(0) => {}
            Ok(bodies) => tracing::info!(bodies, "old webhook bodies removed"),
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "old webhook bodies were not removed");
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(ONE_DAY) => {}
        }
    }
}
