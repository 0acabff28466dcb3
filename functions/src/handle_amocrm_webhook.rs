use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use inngest::{
    Checkpointing, Clock, Concurrency, Config, Context, Error, EventData, FailureContext,
    OnFailure, Result, ResultExt as _, StepError, Throttle,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::create_crm_deal::ERP_CALLS_AT_ONCE;
use crate::ports::{AmoCrm, Created, Deal, DealKey, Erp, FailedDeal, Lead, ResentEvent, WaitsFor};
use crate::webhook::{AmoCrmWebhook, LeadFilter, leads_in_event};

/// `amocrm/webhook`: leads have moved in amoCRM. Comes in three shapes, see [`crate::webhook`].
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub struct WebhookData(Map<String, Value>);

impl EventData for WebhookData {
    const NAME: &'static str = AmoCrmWebhook::EVENT_NAME;
}

/// Fetches each lead that an `amocrm/webhook` event names, and creates its record in the ERP.
///
/// What the webhook says of a lead is a hint: name and price are those that amoCRM has now.
pub struct HandleAmoCrmWebhook<A, E> {
    /// Where the leads are read.
    pub amocrm: A,
    /// Where the records are created.
    pub erp: E,
    /// Which leads of a webhook make a deal, for webhooks that reach Inngest without passing our intake.
    pub filter: LeadFilter,
    /// The clock for the time at which a lead was processed.
    pub clock: Clock,
}

/// What amoCRM allows with a reserve; beyond it whole accounts get blocked. Runs begin no faster, so a burst of webhooks
/// waits in Inngest and does not use up its attempts here.
const AMOCRM_CALLS_A_SECOND: u32 = 5;

/// A lead may be missing for a moment right after its webhook; these pauses give amoCRM time to show it.
const READ_LAG_PAUSES: [Duration; 3] =
    [Duration::from_secs(5), Duration::from_secs(20), Duration::from_secs(60)];

impl<A: AmoCrm, E: Erp> inngest::Function for HandleAmoCrmWebhook<A, E> {
    type Event = WebhookData;
    type Output = Processed;
    type OnFailure = Self;

    fn config() -> Config {
        Config::id("amocrm-webhook")
            .name("handleAmoCrmWebhook")
            .retries(3)
            .checkpointing(Checkpointing::new())
            .concurrency(Concurrency::limit(ERP_CALLS_AT_ONCE))
            .throttle(Throttle::new(AMOCRM_CALLS_A_SECOND, Duration::from_secs(1)))
    }

    async fn run(&self, cx: Context<'_, Self>) -> Result<Processed> {
        let delivery_id = cx.event.id.as_deref().unwrap_or(cx.run.id);
        let leads = leads_in_event(&cx.event.data.0, &self.filter).no_retry()?;
        if !leads.is_empty() {
            let authorized =
                cx.step.run("authorize-amocrm", async || Ok(self.amocrm.authorize().await?)).await;
            Failed::any(authorized.err().map(|cause| Failed::new(&leads, cause)))?;
        }
        // One lead that fails must not take the others with it.
        let (mut processed, mut skipped, mut failed) = (Vec::new(), Vec::new(), Vec::new());
        for lead in &leads {
            match self.process(lead, delivery_id, &cx).await {
                Ok(Outcome::Record(lead)) => processed.push(lead),
                Ok(Outcome::Skipped(lead)) => skipped.push(lead),
                Err(cause) => failed.push(Failed::new(std::slice::from_ref(lead), cause)),
            }
        }
        Failed::any(failed)?;
        Ok(match <[ProcessedLead; 1]>::try_from(processed) {
            Ok([only]) if skipped.is_empty() => Processed::One(only),
            Ok([only]) => Processed::Several { success: true, leads: vec![only], skipped },
            Err(leads) => Processed::Several { success: true, leads, skipped },
        })
    }
}

/// Whatever ended the run, each of its leads that has no record is shown with the reason: also when the service could
/// not be reached for as long as Inngest tried.
impl<A: AmoCrm, E: Erp> OnFailure for HandleAmoCrmWebhook<A, E> {
    async fn on_failure(&self, cx: FailureContext<'_, Self>) -> Result<()> {
        let failure = &cx.failure;
        // An event without a lead names nothing that could be shown; the run itself says so.
        let Ok(event) = &failure.event else { return Ok(()) };
        let leads = leads_in_event(&event.data.0, &self.filter).unwrap_or_default();
        let waits_for = WaitsFor::of_error(&failure.error.name);
        let delivery_id = event.id.as_deref().unwrap_or(&failure.run_id);
        for mut lead in leads {
            let key = key(&lead, delivery_id);
            lead.delivery_id.get_or_insert_with(|| delivery_id.to_owned());
            let data = serde_json::to_value(&lead)?;
            let event = Some(ResentEvent { name: AmoCrmWebhook::EVENT_NAME, data });
            let (run_id, reason) = (failure.run_id.clone(), failure.error.message.clone());
            let failed = FailedDeal { key, run_id, reason, waits_for, event };
            // Noting it twice is noting it once, so it needs no step.
            self.erp.note_failure(&failed).await?;
        }
        Ok(())
    }
}

impl<A: AmoCrm, E: Erp> HandleAmoCrmWebhook<A, E> {
    async fn process(
        &self,
        webhook: &AmoCrmWebhook,
        delivery_id: &str,
        cx: &Context<'_, Self>,
    ) -> Result<Outcome, StepError> {
        let key = key(webhook, delivery_id);
        let Fetched { lead, skipped } = cx
            .step
            .run("fetch-lead-data", async || {
                let fetched = self.fetch(webhook, cx.run.attempt).await?;
                // Else the deal would be sent again, because nothing more is heard of it.
                if let Some(reason) = &fetched.skipped {
                    self.erp.not_needed(&key, reason).await?;
                }
                Ok(fetched)
            })
            .await?;
        if let Some(reason) = skipped {
            return Ok(Outcome::Skipped(SkippedLead { id: lead.id, reason }));
        }
        let deal = Deal {
            key,
            run_id: cx.run.id.to_owned(),
            name: name_in_erp(&lead),
            amount: lead.price.clone(),
            entity_id: None,
            fields: BTreeMap::new(),
        };
        let task = cx
            .step
            .run("create-erp-task", async || {
                let created = self.erp.create(&deal).await?;
                Ok(ErpTask { created, processed_at: iso_8601(self.clock.now()) })
            })
            .await?;
        Ok(Outcome::Record(ProcessedLead {
            success: true,
            amo_crm_lead: lead,
            erp_result: task.created.reply,
            processed_at: task.processed_at,
            duplicate: task.created.duplicate,
        }))
    }

    async fn fetch(&self, webhook: &AmoCrmWebhook, attempt: u32) -> Result<Fetched> {
        let lead_id = webhook.lead_id;
        if let Some(lead) = self.amocrm.lead(lead_id).await? {
            let skipped = self.why_skipped(webhook, &lead)?;
            return Ok(Fetched { lead, skipped });
        }
        let absent = format!(
            "amoCRM shows no lead {lead_id}: it was deleted, or the token's user may not see it. Restore the lead or \
             its rights, then: prometei-flow deals retry --lead {lead_id}"
        );
        let pause = usize::try_from(attempt).ok().and_then(|attempt| READ_LAG_PAUSES.get(attempt));
        let pause = pause.copied().unwrap_or(Duration::from_secs(60));
        Err(Error::new(absent).retry_after(pause).named(WaitsFor::Person.error_name()))
    }

    /// Why a lead makes no deal after all. A webhook that names the stage has been through the filter: the lead has
    /// entered that stage, wherever it is by now. For one that names none, the lead's own stage decides.
    fn why_skipped(&self, webhook: &AmoCrmWebhook, lead: &Lead) -> Result<Option<String>> {
        if self.filter.trigger_statuses.is_none() || webhook.stage().is_some() {
            return Ok(None);
        }
        let Some((pipeline, status)) = lead.stage else {
            let unknown = format!(
                "neither the webhook nor amoCRM says in which stage lead {0} is. If it shall have a record, move it into \
                 its stage once more, else: prometei-flow deals dismiss --lead {0} --why TEXT",
                lead.id
            );
            return Err(Error::new(unknown).named(WaitsFor::Person.error_name()));
        };
        let skipped = !self.filter.makes_deal((pipeline, status));
        Ok(skipped.then(|| {
            format!(
                "the webhook named no stage, and the lead is in pipeline {pipeline}, status {status}, which \
                 AMOCRM_TRIGGER_STATUSES does not list"
            )
        }))
    }
}

/// What the step `fetch-lead-data` saves. The decision is part of it: a later attempt must not come to another one.
#[derive(Serialize, Deserialize)]
struct Fetched {
    #[serde(flatten)]
    lead: Lead,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    skipped: Option<String>,
}

/// What became of a lead.
enum Outcome {
    Record(ProcessedLead),
    Skipped(SkippedLead),
}

fn key(webhook: &AmoCrmWebhook, delivery_id: &str) -> DealKey {
    let delivery_id = webhook.delivery_id.as_deref().unwrap_or(delivery_id).to_owned();
    DealKey::Lead { account_id: webhook.account_id, lead_id: webhook.lead_id, delivery_id }
}

/// The ERP stores records without a name, and people cannot find them again.
fn name_in_erp(lead: &Lead) -> String {
    let name = lead.name.clone().filter(|name| !name.trim().is_empty());
    name.unwrap_or_else(|| format!("Сделка #{}", lead.id))
}

fn iso_8601(time: SystemTime) -> String {
    let time = Timestamp::try_from(time).unwrap_or(Timestamp::UNIX_EPOCH);
    time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// What the step `create-erp-task` saves.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ErpTask {
    #[serde(flatten)]
    created: Created,
    processed_at: String,
}

/// The result of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Processed {
    /// The event named one lead.
    One(ProcessedLead),
    /// The event named several leads, or none that makes a deal.
    Several {
        /// Always true: a lead that fails fails the run.
        success: bool,
        /// In the order in which the event named them.
        leads: Vec<ProcessedLead>,
        /// Leads that turned out to make no deal.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        skipped: Vec<SkippedLead>,
    },
}

/// A lead that makes no deal, which showed only when it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SkippedLead {
    id: u64,
    reason: String,
}

/// One lead that has its record.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProcessedLead {
    success: bool,
    amo_crm_lead: Lead,
    erp_result: Value,
    processed_at: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    duplicate: bool,
}

/// Leads that got no record, and why.
#[derive(Debug, thiserror::Error)]
#[error("{leads}")]
struct Failed {
    leads: String,
    #[source]
    cause: StepError,
}

impl Failed {
    fn new(leads: &[AmoCrmWebhook], cause: StepError) -> Self {
        let ids: Vec<_> = leads.iter().map(|lead| lead.lead_id.to_string()).collect();
        Self { leads: format!("lead {}", ids.join(", ")), cause }
    }

    /// All failures in one final error; their steps have used up their own retries. What all of them wait for, the
    /// error waits for.
    fn any(failed: impl IntoIterator<Item = Self>) -> Result<()> {
        let (mut texts, mut waits_for) = (Vec::new(), Vec::new());
        for failed in failed {
            waits_for.push(WaitsFor::of_error(&failed.cause.name));
            texts.push(Error::from(failed).to_string());
        }
        waits_for.dedup();
        let error = Error::new(texts.join("; ")).no_retry();
        match waits_for.as_slice() {
            [] => Ok(()),
            [Some(waits_for)] => Err(error.named(waits_for.error_name())),
            _ => Err(error),
        }
    }
}
