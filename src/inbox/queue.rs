//! The events in the inbox: held, accepted, refused, queued again. Each stands for a deal, whose row changes with it.

use anyhow::Context as _;
use functions::ports::WaitsFor;
use functions::webhook::{AmoCrmWebhook, LeadFilter, leads_in_event};
use jiff::Timestamp;

use super::rows::{HeldRow, RemovedRow};
use super::store::Inbox;
use super::table;
use crate::deals::{self, Dedupe, Due, Obstacle, Report, Source, Which, key_of_lead};

/// The most deals that are sent again in one transaction.
const RESEND_BATCH: u32 = 500;

impl Inbox {
    /// The held events, oldest first.
    pub(crate) async fn held(&self, limit: u32) -> anyhow::Result<Vec<HeldRow>> {
        table::held(&self.db, limit).await
    }

    /// How many webhooks came in each hour since `since`: hours since 1970 that had any.
    pub(crate) async fn received_by_hour(
        &self,
        since: Timestamp,
    ) -> anyhow::Result<Vec<(i64, i64)>> {
        table::received_by_hour(&self.db, since).await
    }

    /// The event `id`, if it is held.
    pub(crate) async fn held_event(&self, id: &str) -> anyhow::Result<Option<HeldRow>> {
        table::held_event(&self.db, id).await
    }

    /// Inngest has accepted the events with these ids: they are removed, and their deals wait to be heard of.
    pub(super) async fn accepted(&self, ids: &[&str]) -> anyhow::Result<()> {
        let now = self.db.time();
        let mut transaction = self.db.begin().await?;
        let mut events = Vec::new();
        for id in ids {
            events.extend(table::delete(&mut transaction, id).await?.map(|event| (event, *id)));
        }
        // In the order of their keys, so that two replicas never wait for each other.
        events.sort_unstable_by(|(a, _), (b, _)| a.deal_key.cmp(&b.deal_key));
        for (event, id) in &events {
            let (key, schedule) = (&event.deal_key, self.rules.schedule);
            deals::forwarded(&mut transaction, key, id, schedule, now).await?;
        }
        transaction.commit().await?;
        for (RemovedRow { deal_key: deal, lead_id: lead, received_at, attempts }, event) in events {
            let waited_ms = now.as_millisecond().saturating_sub(received_at).max(0);
            let attempts = attempts + 1;
            tracing::info!(
                deal,
                lead,
                event,
                waited_ms,
                attempts,
                "Inngest has the event of a deal"
            );
        }
        Ok(())
    }

    /// Inngest refuses this event for good: it is removed, and its deal needs a person.
    pub(super) async fn refused(&self, id: &str, reason: &str) -> anyhow::Result<()> {
        let now = self.db.time();
        let mut transaction = self.db.begin().await?;
        if let Some(event) = table::delete(&mut transaction, id).await? {
            deals::refused_by_inngest(&mut transaction, &event.deal_key, reason, now).await?;
        }
        Ok(transaction.commit().await?)
    }

    /// Queues an event of each deal that is due, as far as it waits for nothing of `obstacles` that is away. Returns how many.
    pub(crate) async fn resend(&self, obstacles: &[(WaitsFor, Obstacle)]) -> anyhow::Result<usize> {
        let now = self.db.time();
        let mut resent = 0;
        let mut transaction = self.db.begin().await?;
        for key in deals::due(&mut transaction, obstacles, RESEND_BATCH, now).await? {
            let id = self.db.next_id();
            // None: another replica was faster.
            if let Some(deal) = deals::queue(&mut transaction, &key, &id, now).await? {
                table::insert_again(&mut transaction, &id, &deal, now).await?;
                resent += 1;
            }
        }
        transaction.commit().await?;
        if resent > 0 {
            self.wake.notify_one();
        }
        Ok(resent)
    }

    /// Inngest has lost what it was given: an event of each deal that it had is queued. Returns how many.
    pub(crate) async fn resend_what_was_lost(&self) -> anyhow::Result<usize> {
        if deals::forwarded_in_vain(&self.db).await? == 0 {
            return Ok(0);
        }
        let mut resent = 0;
        loop {
            match self.resend(&[]).await? {
                0 => return Ok(resent),
                batch => resent += batch,
            }
        }
    }

    /// Notes why no event is sent now, for those that were not sent yet.
    pub(super) async fn note_hold(&self, reason: &str) -> anyhow::Result<()> {
        table::note_hold(&self.db, reason).await
    }

    /// Ends the deals that a person means, and removes their events. Returns their keys.
    pub(crate) async fn dismiss(&self, which: &Which, why: &str) -> anyhow::Result<Vec<String>> {
        let mut transaction = self.db.begin().await?;
        let dismissed = deals::dismiss(&mut transaction, which, why, self.db.now()).await?;
        for key in &dismissed {
            table::delete_of(&mut transaction, key).await?;
        }
        transaction.commit().await?;
        Ok(dismissed)
    }

    /// The lead `gone` has become a part of `survivor`, which gets what it had: its record, or the deal that is on the way to
    /// one.
    pub(crate) async fn merged(&self, survivor: u64, gone: u64) -> anyhow::Result<()> {
        let (now, dedupe) = (self.db.time(), self.rules.dedupe);
        let lead_id = i64::try_from(survivor).context("a lead's id is out of range")?;
        let mut transaction = self.db.begin().await?;
        let ended = deals::merged(&mut transaction, survivor, gone, dedupe, now).await?;
        for (ended, payload) in ended {
            table::delete_of(&mut transaction, &ended).await?;
            let Some(webhook) = webhook_of(&payload, survivor) else { continue };
            let id = self.db.next_id();
            let key = key_of_lead(survivor, &id, dedupe);
            let delivery_id = (dedupe == Dedupe::Event).then(|| id.clone());
            let names_stage = webhook.status_id.is_some();
            let payload = serde_json::to_string(&AmoCrmWebhook { delivery_id, ..webhook })?;
            let report = Report {
                key: &key,
                lead_id: Some(lead_id),
                event_name: AmoCrmWebhook::EVENT_NAME,
                payload: &payload,
                names_stage,
                source: Source::Webhook,
            };
            deals::reported(&mut transaction, &report, &id, now).await?;
            let (event_name, lead_id) = (AmoCrmWebhook::EVENT_NAME.to_owned(), Some(lead_id));
            let event = Due { key: key.clone(), lead_id, event_name, payload: payload.clone() };
            table::insert_again(&mut transaction, &id, &event, now).await?;
        }
        transaction.commit().await?;
        self.wake.notify_one();
        Ok(())
    }

    /// Gives a deal to each event of a version of this service that knew no deals here.
    pub(crate) async fn adopt(&self) -> anyhow::Result<()> {
        let now = self.db.time();
        let mut transaction = self.db.begin().await?;
        for (id, lead_id, payload) in table::without_deal(&mut transaction).await? {
            let lead = u64::try_from(lead_id).context("a stored lead's id is out of range")?;
            let key = key_of_lead(lead, &id, self.rules.dedupe);
            let (lead_id, event_name) = (Some(lead_id), AmoCrmWebhook::EVENT_NAME);
            let (names_stage, source) = (true, Source::Webhook);
            let report =
                Report { key: &key, lead_id, event_name, payload: &payload, names_stage, source };
            deals::reported(&mut transaction, &report, &id, now).await?;
            table::set_deal(&mut transaction, &id, &key).await?;
        }
        Ok(transaction.commit().await?)
    }
}

/// What reported a lead, as if it had reported `survivor`.
fn webhook_of(payload: &str, survivor: u64) -> Option<AmoCrmWebhook> {
    let data = serde_json::from_str(payload).ok()?;
    let mut leads = leads_in_event(&data, &LeadFilter::default()).ok()?;
    Some(AmoCrmWebhook { lead_id: survivor, ..leads.pop()? })
}
