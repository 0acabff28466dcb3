//! Deals that are due go to Inngest again: those of which nothing was heard, those whose run has failed, and those whose
//! obstacle is gone.
//!
//! The ledger makes a second record impossible, so sending a deal again costs a run and no more. What keeps that cheap is
//! here: a deal that waits for the ERP, for amoCRM or for a consent is not sent before one cheap question has shown that it
//! would get further than the last time.

mod obstacles;
#[cfg(test)]
mod tests;

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::db::Db;
use crate::deals;
use crate::heartbeat::Heartbeat;
use crate::inbox::Inbox;
use crate::metrics::Metrics;
pub(crate) use obstacles::{Obstacles, Systems};

/// How often to look for what is due.
const PERIOD: Duration = Duration::from_secs(15);

/// Sends again what is due.
pub(crate) struct Resender<O> {
    pub(crate) db: Db,
    pub(crate) inbox: Inbox,
    pub(crate) obstacles: O,
    pub(crate) metrics: Metrics,
}

impl<O: Obstacles> Resender<O> {
    /// Looks for what is due until `stop`.
    pub(crate) async fn run(mut self, heartbeat: Heartbeat, stop: CancellationToken) {
        while !stop.is_cancelled() {
            match self.pass().await {
                Ok(_) => heartbeat.beat(PERIOD),
                Err(error) => {
                    let error = format!("{error:#}");
                    tracing::error!(error, "what is due could not be sent again");
                }
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(PERIOD) => {}
            }
        }
    }

    /// Sends everything that is due now. Returns how many deals.
    pub(crate) async fn pass(&mut self) -> anyhow::Result<usize> {
        let mut obstacles = Vec::new();
        for waits_for in deals::waited_for(&self.db).await? {
            obstacles.push((waits_for, self.obstacles.look(waits_for).await));
        }
        let mut deals = 0;
        loop {
            let resent = self.inbox.resend(&obstacles).await?;
            if resent == 0 {
                break;
            }
            deals += resent;
        }
        if deals > 0 {
            self.metrics.deals_resent(deals);
            tracing::info!(
                deals,
                "deals are sent to Inngest again, or to be compared with their records"
            );
        }
        Ok(deals)
    }
}
