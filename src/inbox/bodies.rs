//! Webhook bodies, kept for a while.

use anyhow::Context as _;
use functions::webhook::AmoCrmWebhook;
use jiff::Timestamp;

use super::group::{Accepted, AcceptedLead};
use crate::db::Db;

impl Db {
    /// Stores a webhook whole: its body, and one inbox row for each of `leads`. Once this returns, they survive a
    /// crash. `problem` says what else in the body could not be read.
    ///
    /// Returns the ids of the inbox rows.
    pub async fn accept_webhook(
        &self,
        content: &[u8],
        leads: &[AmoCrmWebhook],
        problem: Option<&str>,
    ) -> anyhow::Result<Vec<String>> {
        let now = self.clock().now();
        let leads: Vec<_> = leads.iter().map(|lead| self.row(lead)).collect::<Result<_, _>>()?;
        let ids = leads.iter().map(|lead| lead.id.clone()).collect();
        let state = if problem.is_some() { "partly" } else { "read" };
        self.group.store(self.body(now, content, state, problem, leads)).await?;
        Ok(ids)
    }

    /// Keeps a body in which nothing could be read, for a person to look at.
    pub async fn store_unparsable(&self, content: &[u8], reason: &str) -> anyhow::Result<()> {
        let now = self.clock().now();
        self.group.store(self.body(now, content, "unparsable", Some(reason), Vec::new())).await
    }

    /// Removes the bodies received before `time`, except those of rows that are still in the inbox. They
    /// hold what people wrote into their CRM: not to be kept for longer than they help.
    pub async fn purge_bodies(&self, time: Timestamp) -> anyhow::Result<u64> {
        let purge = sqlx::query(
            "DELETE FROM webhook_bodies WHERE received_at < $1 \
             AND NOT EXISTS (SELECT 1 FROM inbox WHERE inbox.body_id = webhook_bodies.id)",
        )
        .bind(time.as_millisecond());
        self.commit(purge).await
    }

    fn row(&self, lead: &AmoCrmWebhook) -> anyhow::Result<AcceptedLead> {
        Ok(AcceptedLead {
            id: self.next_id(),
            lead_id: i64::try_from(lead.lead_id).context("the lead's id is out of range")?,
            payload: serde_json::to_string(lead)?,
        })
    }

    fn body(
        &self,
        received_at: Timestamp,
        content: &[u8],
        state: &'static str,
        problem: Option<&str>,
        leads: Vec<AcceptedLead>,
    ) -> Accepted {
        let (id, problem) = (self.next_id(), problem.map(plain));
        Accepted { id, received_at, content: content.to_vec(), state, problem, leads }
    }
}

/// PostgreSQL takes no NUL in a text.
fn plain(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}
