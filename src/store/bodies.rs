//! Webhook bodies, kept for a while.

use anyhow::Context as _;
use functions::webhook::AmoCrmWebhook;
use jiff::Timestamp;
use sqlx::{Sqlite, Transaction};

use super::Store;

impl Store {
    /// Stores a webhook in one transaction: its body, and one inbox row for each of `leads`. Once this
    /// returns, they survive a crash. `problem` says what else in the body could not be read.
    ///
    /// Returns the ids of the inbox rows.
    pub async fn accept_webhook(
        &self,
        content: &[u8],
        leads: &[AmoCrmWebhook],
        problem: Option<&str>,
    ) -> anyhow::Result<Vec<String>> {
        let state = if problem.is_some() { "partly" } else { "read" };
        let now = self.clock.now();
        let mut transaction = self.begin().await?;
        let body = self.insert_body(&mut transaction, now, content, state, problem).await?;
        let mut ids = Vec::with_capacity(leads.len());
        for lead in leads {
            let id = self.ids.next(now);
            sqlx::query(
                "INSERT INTO inbox (id, body_id, lead_id, payload, received_at) VALUES ($1, $2, $3, $4, $5)",
            )
            .bind(&id)
            .bind(&body)
            .bind(i64::try_from(lead.lead_id).context("the lead's id is out of range")?)
            .bind(serde_json::to_string(lead)?)
            .bind(now.as_millisecond())
            .execute(&mut *transaction)
            .await?;
            self.note_lead(&mut transaction, lead.lead_id, now).await?;
            ids.push(id);
        }
        transaction.commit().await?;
        Ok(ids)
    }

    /// Keeps a body in which nothing could be read, for a person to look at.
    pub async fn store_unparsable(&self, content: &[u8], reason: &str) -> anyhow::Result<()> {
        let mut transaction = self.begin().await?;
        let now = self.clock.now();
        self.insert_body(&mut transaction, now, content, "unparsable", Some(reason)).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Removes the bodies received before `time`, except those of rows that are still in the inbox. They
    /// hold what people wrote into their CRM: not to be kept for longer than they help.
    pub async fn purge_bodies(&self, time: Timestamp) -> anyhow::Result<u64> {
        let removed = sqlx::query(
            "DELETE FROM webhook_bodies WHERE received_at < $1 \
             AND NOT EXISTS (SELECT 1 FROM inbox WHERE inbox.body_id = webhook_bodies.id)",
        )
        .bind(time.as_millisecond())
        .execute(self.writer())
        .await?;
        Ok(removed.rows_affected())
    }

    async fn insert_body(
        &self,
        transaction: &mut Transaction<'static, Sqlite>,
        now: Timestamp,
        content: &[u8],
        state: &'static str,
        problem: Option<&str>,
    ) -> sqlx::Result<String> {
        let id = self.ids.next(now);
        sqlx::query(
            "INSERT INTO webhook_bodies (id, received_at, content, state, problem) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(&id)
        .bind(now.as_millisecond())
        .bind(content)
        .bind(state)
        .bind(problem)
        .execute(&mut **transaction)
        .await?;
        Ok(id)
    }
}
