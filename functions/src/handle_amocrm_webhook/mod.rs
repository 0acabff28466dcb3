mod changes;
mod failed;
mod processed;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use inngest::{
    Checkpointing, Clock, Concurrency, Config, Context, Error, EventData, FailureContext,
    OnFailure, Result, ResultExt as _, StepError, Throttle,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tracing::{Instrument as _, Span};

use crate::create_crm_deal::ERP_CALLS_AT_ONCE;
use crate::ports::{
    AmoCrm, Compared, Created, Deal, DealKey, Erp, FailedDeal, Lead, More, Reading, ResentEvent,
    WaitsFor,
};
use crate::webhook::{AmoCrmWebhook, LeadFilter, leads_in_event};
use failed::{Failed, ids_of};
use processed::{Difference, Outcome, SkippedLead};
pub use processed::{Processed, ProcessedLead};

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

/// The pause after attempt `attempt`, the first of which is 0.
fn read_lag(attempt: u32) -> Duration {
    let pause = usize::try_from(attempt).ok().and_then(|attempt| READ_LAG_PAUSES.get(attempt));
    pause.copied().unwrap_or(Duration::from_secs(60))
}

/// What is logged in it names the lead; where several are meant, all of them.
fn span_of(leads: &[AmoCrmWebhook]) -> Span {
    match leads {
        [only] => tracing::info_span!("lead", lead = only.lead_id),
        several => tracing::info_span!("leads", leads = ids_of(several)),
    }
}

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
        if leads.is_empty() {
            return Ok(Processed::of(Vec::new(), Vec::new()));
        }
        self.process_all(&leads, delivery_id, &cx).instrument(span_of(&leads)).await
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
            self.erp.note_failure(&failed).instrument(span_of(std::slice::from_ref(&lead))).await?;
        }
        Ok(())
    }
}

impl<A: AmoCrm, E: Erp> HandleAmoCrmWebhook<A, E> {
    /// Inside a span that names the leads.
    async fn process_all(
        &self,
        leads: &[AmoCrmWebhook],
        delivery_id: &str,
        cx: &Context<'_, Self>,
    ) -> Result<Processed> {
        let authorize = async || Ok(self.amocrm.authorize().await?);
        let authorized = cx.step.run("authorize-amocrm", authorize).await;
        Failed::any(authorized.err().map(|cause| Failed::new(leads, cause)))?;
        // One lead that fails must not take the others with it.
        let (mut processed, mut skipped, mut failed) = (Vec::new(), Vec::new(), Vec::new());
        for lead in leads {
            let one = std::slice::from_ref(lead);
            let span = if leads.len() > 1 { span_of(one) } else { Span::none() };
            match self.process(lead, delivery_id, cx).instrument(span).await {
                Ok(Outcome::Record(lead)) => processed.push(*lead),
                Ok(Outcome::Skipped(lead)) => skipped.push(lead),
                Err(cause) => failed.push(Failed::new(one, cause)),
            }
        }
        Failed::any(failed)?;
        Ok(Processed::of(processed, skipped))
    }

    async fn process(
        &self,
        webhook: &AmoCrmWebhook,
        delivery_id: &str,
        cx: &Context<'_, Self>,
    ) -> Result<Outcome, StepError> {
        let key = key(webhook, delivery_id);
        if webhook.action.is_some_and(|action| !action.makes_deal()) {
            return self.look(webhook, key, cx).await;
        }
        let Fetched { lead, reading, skipped, more } = cx
            .step
            .run("fetch-lead-data", async || {
                let fetched = self.fetch(webhook, &key, cx.run.attempt).await?;
                // Else the deal would be sent again, because nothing more is heard of it.
                if let (Some(_), Some(reason)) = (&fetched.lead, &fetched.skipped) {
                    self.erp.not_needed(&key, reason).await?;
                }
                Ok(fetched)
            })
            .await?;
        let Some(lead) = lead.filter(|_| skipped.is_none()) else {
            let reason = skipped.unwrap_or_default();
            return Ok(Outcome::Skipped(SkippedLead::new(webhook.lead_id, reason)));
        };
        let fields = self.fields(more, cx).await?;
        let deal = Self::deal(key, &lead, fields, reading, cx.run.id);
        let task = cx
            .step
            .run("create-erp-task", async || {
                let Created { reply, duplicate } = self.erp.create(&deal).await?;
                let compared = if duplicate { self.erp.compare(&deal).await? } else { None };
                Ok(ErpTask { reply, duplicate, compared, processed_at: self.processed_at() })
            })
            .await?;
        let (compared, updated) = self.settle(&deal, task.compared, cx).await?;
        let record = ProcessedLead::new(lead, task.reply, task.processed_at, task.duplicate);
        Ok(Outcome::Record(Box::new(record.beside(Difference::of(compared), updated))))
    }

    /// What the record shall hold besides name and amount, that of the contact and the company read where it is wanted.
    async fn fields(
        &self,
        more: More,
        cx: &Context<'_, Self>,
    ) -> Result<BTreeMap<String, String>, StepError> {
        let mut fields = more.fields;
        if !more.related.is_empty() {
            let related = async || Ok(self.amocrm.related(more.related).await?);
            fields.extend(cx.step.run("fetch-contact-data", related).await?);
        }
        Ok(fields)
    }

    /// What the record of `lead` shall hold.
    fn deal(
        key: DealKey,
        lead: &Lead,
        fields: BTreeMap<String, String>,
        reading: Reading,
        run_id: &str,
    ) -> Deal {
        Deal {
            key,
            run_id: run_id.to_owned(),
            name: name_in_erp(lead),
            amount: lead.price.clone(),
            entity_id: None,
            fields,
            reports: reading.reports,
        }
    }

    fn processed_at(&self) -> String {
        iso_8601(self.clock.now())
    }

    async fn fetch(&self, webhook: &AmoCrmWebhook, key: &DealKey, attempt: u32) -> Result<Fetched> {
        let lead_id = webhook.lead_id;
        // Before the lead is read: what is reported later may not be in it.
        let reading = self.erp.reading(key).await?;
        if let Some(mut lead) = self.amocrm.lead(lead_id).await? {
            let skipped = self.why_skipped(webhook, &lead)?;
            let more = std::mem::take(&mut lead.more);
            let more = if skipped.is_some() { More::default() } else { more };
            return Ok(Fetched { lead: Some(lead), reading, skipped, more });
        }
        let skipped = Some(self.absent(lead_id, key, reading, attempt).await?);
        Ok(Fetched { lead: None, reading, skipped, more: More::default() })
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
    /// Absent where amoCRM shows it no more, and nothing is to be done for it.
    #[serde(flatten)]
    lead: Option<Lead>,
    #[serde(default)]
    reading: Reading,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    skipped: Option<String>,
    #[serde(default, skip_serializing_if = "More::is_empty")]
    more: More,
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
    /// The ERP's, as it came.
    reply: Value,
    /// The record existed already.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    duplicate: bool,
    /// The record that existed, beside what amoCRM has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    compared: Option<Compared>,
    processed_at: String,
}
