use std::collections::BTreeMap;

use inngest::{Concurrency, Config, Context, NewEvent, Result, ResultExt as _};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ports::{FeedWindow, LeadEvent, LeadFeed, ReconcileLog};
use crate::webhook::AmoCrmWebhook;

/// The pages that one run reads at most: twenty thousand events.
const LONGEST: u32 = 200;

/// The most events in one request to Inngest.
const BATCH: usize = 100;

/// The event that starts a run outside the schedule.
pub const RECONCILE_NOW: &str = "prometei-flow/reconcile";

/// Every five minutes: a deal that its webhook lost is late by no more than that.
const SCHEDULE: &str = "*/5 * * * *";

/// Reads what happened in amoCRM and sends `amocrm/webhook` for leads that no webhook reported.
///
/// amoCRM sends a pipeline's hook once and never again, so without this function a hook that is lost is a deal that is
/// lost. Every run begins before the end of the last one; an event that was handled is recognised by its id.
pub struct ReconcileLeads<F, L> {
    /// amoCRM's record of what happened.
    pub feed: F,
    /// What earlier runs have handled, and which leads webhooks reported.
    pub log: L,
    /// The (pipeline, status) pairs that make a deal.
    pub stages: Vec<(u64, u64)>,
}

impl<F: LeadFeed, L: ReconcileLog> inngest::Function for ReconcileLeads<F, L> {
    type Event = ();
    type Output = Reconciled;
    type OnFailure = ();

    fn config() -> Config {
        Config::id("reconcile-leads")
            .name("reconcileLeads")
            .event(RECONCILE_NOW)
            .cron(SCHEDULE)
            .retries(3)
            // One at a time: two that read the same window would only do everything twice.
            .concurrency(Concurrency::limit(1))
    }

    async fn run(&self, cx: Context<'_, Self>) -> Result<Reconciled> {
        let step = cx.step;
        let window = step.run("choose-window", async || Ok(self.log.window().await?)).await?;
        let (mut events, mut missed) = (0, BTreeMap::new());
        for page in 1.. {
            if page > LONGEST {
                let pages = "more events than a run can read between";
                return Err(format!("{pages} {} and {}", window.from, window.to)).no_retry();
            }
            let found = step.run("read-events", async || self.read(&window, page).await).await?;
            events += found.events;
            // One event for each lead is enough; the earliest is as good as any.
            for event in found.missed {
                missed.entry(event.lead_id).or_insert(event);
            }
            if !found.more {
                break;
            }
        }
        let missed: Vec<LeadEvent> = missed.into_values().collect();
        for batch in missed.chunks(BATCH) {
            let batch: Vec<NewEvent> = batch.iter().map(webhook_event).collect::<Result<_>>()?;
            step.send_event("send-missed", batch).await?;
        }
        step.run("advance-cursor", async || Ok(self.log.reconciled(&window, &missed).await?))
            .await?;
        let leads = missed.iter().map(|event| event.lead_id).collect();
        Ok(Reconciled { from: window.from, to: window.to, events, missed: leads })
    }
}

impl<F: LeadFeed, L: ReconcileLog> ReconcileLeads<F, L> {
    /// One page, narrowed to the leads that entered one of our stages and that no webhook reported.
    async fn read(&self, window: &FeedWindow, page: u32) -> Result<FoundPage> {
        let read = self.feed.page(window, page).await?;
        let events = read.events.len();
        let ours = |event: &LeadEvent| event.stage.is_none_or(|stage| self.stages.contains(&stage));
        let candidates = read.events.into_iter().filter(ours).collect();
        let (mut missed, mut dismissed) = (Vec::new(), Vec::new());
        for mut event in self.log.news(candidates).await? {
            // Only a change of status says which stage the lead entered. For the others the lead is read.
            if event.stage.is_none() {
                event.stage = self.feed.stage(event.lead_id).await?;
            }
            match event.stage {
                Some(stage) if self.stages.contains(&stage) => missed.push(event),
                Some(_) | None => dismissed.push(event),
            }
        }
        self.log.dismiss(&dismissed).await?;
        Ok(FoundPage { events, missed, more: read.more })
    }
}

/// The event by which the lead is processed like all others. Its id makes a repeat harmless.
fn webhook_event(event: &LeadEvent) -> Result<NewEvent> {
    let stage = event.stage;
    let webhook = AmoCrmWebhook {
        lead_id: event.lead_id,
        account_id: event.account_id,
        subdomain: None,
        pipeline_id: stage.map(|stage| stage.0),
        status_id: stage.map(|stage| stage.1),
        old_pipeline_id: None,
        old_status_id: None,
        action: Some(event.action),
        received_at: None,
        delivery_id: None,
    };
    let account = event.account_id.unwrap_or_default();
    let id = format!("reconcile-{account}-{}-{}", event.lead_id, event.id);
    let data = serde_json::to_value(webhook)?;
    Ok(NewEvent::named(AmoCrmWebhook::EVENT_NAME, data).with_id(id))
}

/// What the step `read-events` saves.
#[derive(Serialize, Deserialize)]
struct FoundPage {
    events: usize,
    missed: Vec<LeadEvent>,
    more: bool,
}

/// The result of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reconciled {
    from: Timestamp,
    to: Timestamp,
    events: usize,
    missed: Vec<u64>,
}
