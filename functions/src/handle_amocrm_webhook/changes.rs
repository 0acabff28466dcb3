//! What happens to a lead after its record was made: it is changed, or deleted. No record is made here.

use inngest::{Context, Error, Result, StepError};
use serde::{Deserialize, Serialize};

use super::processed::{Difference, Outcome, ProcessedLead, SkippedLead};
use super::{HandleAmoCrmWebhook, READ_LAG_PAUSES, read_lag};
use crate::ports::{AmoCrm, Compared, Deal, DealKey, Erp, Gone, Lead, More, Reading, WaitsFor};
use crate::webhook::AmoCrmWebhook;

impl<A: AmoCrm, E: Erp> HandleAmoCrmWebhook<A, E> {
    /// A lead was reported as changed or deleted: compares its record with it.
    pub(super) async fn look(
        &self,
        webhook: &AmoCrmWebhook,
        key: DealKey,
        cx: &Context<'_, Self>,
    ) -> Result<Outcome, StepError> {
        let id = webhook.lead_id;
        let looked = cx.step.run("fetch-lead-data", async || {
            let reading = self.erp.reading(&key).await?;
            if !reading.has_record {
                return Ok(Looked::without("it has no record".to_owned()));
            }
            if let Some(mut lead) = self.amocrm.lead(id).await? {
                let more = std::mem::take(&mut lead.more);
                return Ok(Looked { lead: Some(lead), reading, skipped: None, more });
            }
            Ok(Looked::without(self.absent(id, &key, reading, cx.run.attempt).await?))
        });
        let Looked { lead, reading, skipped, more } = looked.await?;
        let Some(lead) = lead else {
            return Ok(Outcome::Skipped(SkippedLead::new(id, skipped.unwrap_or_default())));
        };
        let fields = self.fields(more, cx).await?;
        let deal = Self::deal(key, &lead, fields, reading, cx.run.id);
        let compare = async || {
            let compared = self.erp.compare(&deal).await?;
            Ok(Comparison { compared, processed_at: self.processed_at() })
        };
        let Comparison { compared, processed_at } =
            cx.step.run("compare-with-record", compare).await?;
        let Some(compared) = compared else {
            return Ok(Outcome::Skipped(SkippedLead::new(id, "it has no record".to_owned())));
        };
        let reply = compared.reply.clone();
        let (compared, updated) = self.settle(&deal, Some(compared), cx).await?;
        let difference = Difference::of(compared);
        let record = ProcessedLead::new(lead, reply, processed_at, true);
        Ok(Outcome::Record(Box::new(record.beside(difference, updated))))
    }

    /// Writes into the record what it lacks, where that is wanted. Whether something was written comes second.
    pub(super) async fn settle(
        &self,
        deal: &Deal,
        compared: Option<Compared>,
        cx: &Context<'_, Self>,
    ) -> Result<(Option<Compared>, bool), StepError> {
        if !compared.as_ref().is_some_and(|compared| compared.update) {
            return Ok((compared, false));
        }
        let update = async || Ok(self.erp.update(deal).await?);
        let after = cx.step.run("update-erp-record", update).await?;
        let updated = after.as_ref().is_some_and(Compared::is_up_to_date);
        Ok((after, updated))
    }

    /// amoCRM shows no lead `lead_id`. Returns what follows from that, once it is certain.
    pub(super) async fn absent(
        &self,
        lead_id: u64,
        key: &DealKey,
        reading: Reading,
        attempt: u32,
    ) -> Result<String> {
        let deleted = self.amocrm.is_deleted(lead_id).await?;
        // Where amoCRM does not say so itself, the lead is given time to appear.
        let waited = usize::try_from(attempt).is_ok_and(|attempt| attempt >= READ_LAG_PAUSES.len());
        if deleted || waited && (reading.is_deleted || reading.has_record) {
            let deleted = deleted || reading.is_deleted;
            match self.erp.gone(key, reading, deleted).await? {
                Gone::Ended => {
                    return Ok("it was deleted in amoCRM before it had a record".to_owned());
                }
                Gone::HasRecord(id) if deleted => {
                    return Ok(format!("it was deleted in amoCRM, record {id} stays"));
                }
                Gone::HasRecord(id) => {
                    return Ok(format!("amoCRM does not show it any more, record {id} stays"));
                }
                Gone::Undecided if reading.has_record => {
                    return Ok("it was reported again meanwhile".to_owned());
                }
                Gone::Undecided => {}
            }
        }
        let absent = format!(
            "amoCRM shows no lead {lead_id}: it was deleted, or the token's user may not see it. Restore the lead or \
             its rights, then: prometei-flow deals retry --lead {lead_id}"
        );
        let person = WaitsFor::Person.error_name();
        Err(Error::new(absent).retry_after(read_lag(attempt)).named(person))
    }
}

/// What the step `fetch-lead-data` saves of a look.
#[derive(Serialize, Deserialize)]
struct Looked {
    #[serde(flatten)]
    lead: Option<Lead>,
    reading: Reading,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    skipped: Option<String>,
    #[serde(default, skip_serializing_if = "More::is_empty")]
    more: More,
}

impl Looked {
    fn without(reason: String) -> Self {
        let (reading, more) = Default::default();
        Self { lead: None, reading, skipped: Some(reason), more }
    }
}

/// What the step `compare-with-record` saves.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Comparison {
    compared: Option<Compared>,
    processed_at: String,
}
