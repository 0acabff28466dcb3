use inngest::{
    Checkpointing, Concurrency, Config, Context, EventData, FailureContext, OnFailure, Result,
    ResultExt as _,
};
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

use crate::ports::{Deal, DealKey, Erp};

/// `crm/create-deal`: another program wants a deal in the ERP.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateDeal {
    /// The deal's name. Required; optional here so that its absence has a message of its own.
    pub deal_name: Option<String>,
    /// The deal's amount.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<Number>,
    /// The ERP entity, where it is not the configured one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entity_id: Option<u64>,
}

impl EventData for CreateDeal {
    const NAME: &'static str = "crm/create-deal";
}

impl CreateDeal {
    /// The deal that the run `run_id` shall create.
    fn deal(&self, run_id: &str) -> Result<Deal> {
        let name = self.deal_name.clone().filter(|name| !name.trim().is_empty());
        let Some(name) = name else {
            return Err("dealName is required").no_retry();
        };
        if self.entity_id == Some(0) {
            return Err(format!("entityId of deal `{name}` must be a positive integer")).no_retry();
        }
        Ok(Deal {
            key: DealKey::Run(run_id.to_owned()),
            run_id: run_id.to_owned(),
            name,
            amount: self.amount.clone(),
            entity_id: self.entity_id,
        })
    }
}

/// Each call of the ERP logs in anew and runs the ERP's own processes: a burst of deals waits in Inngest instead.
pub(crate) const ERP_CALLS_AT_ONCE: u32 = 5;

/// Creates a record in the ERP for each `crm/create-deal` event; its result is the ERP's reply.
pub struct CreateCrmDeal<E> {
    /// Where the record is created.
    pub erp: E,
}

impl<E: Erp> inngest::Function for CreateCrmDeal<E> {
    type Event = CreateDeal;
    type Output = Value;
    type OnFailure = Self;

    fn config() -> Config {
        Config::id("create-crm-deal")
            .name("createCrmDeal")
            .retries(3)
            .checkpointing(Checkpointing::new())
            .concurrency(Concurrency::limit(ERP_CALLS_AT_ONCE))
    }

    async fn run(&self, cx: Context<'_, Self>) -> Result<Value> {
        let deal = cx.event.data.deal(cx.run.id)?;
        let created =
            cx.step.run("create-erp-task", async || Ok(self.erp.create(&deal).await?)).await?;
        Ok(created.reply)
    }
}

impl<E: Erp> OnFailure for CreateCrmDeal<E> {
    async fn on_failure(&self, cx: FailureContext<'_, Self>) -> Result<()> {
        let (run_id, reason) = (&cx.failure.run_id, &cx.failure.error.message);
        // Noting it twice is noting it once, so it needs no step.
        Ok(self.erp.note_failure(&DealKey::Run(run_id.clone()), run_id, reason).await?)
    }
}
