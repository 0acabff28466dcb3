use std::collections::{BTreeMap, BTreeSet};

use inngest::{
    Checkpointing, Concurrency, Config, Context, Error, EventData, Failure, FailureContext,
    OnFailure, Result,
};
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

use crate::amount;
use crate::ports::{Deal, DealKey, Erp, FailedDeal, ResentEvent, WaitsFor};

/// `crm/create-deal`: another program wants a deal in the ERP.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct CreateDeal {
    /// The deal's name.
    // Required; optional here so that its absence has a message of its own.
    #[cfg_attr(test, schemars(with = "String", required, regex(pattern = r"\S")))]
    pub deal_name: Option<String>,
    /// The deal's amount: less than 70 trillion, or a whole number, so that it is exact to the kopeck. Without it, or with
    /// 0, the record gets none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<Number>,
    /// The ERP entity, where it is not the configured one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(range(min = 1)))]
    pub entity_id: Option<u64>,
    /// More fields of the record, by the ERP's names, of those that `CRM_FIELDS` allows.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[cfg_attr(test, schemars(with = "BTreeMap<String, crate::contract::FieldValue>"))]
    pub fields: BTreeMap<String, Value>,
    /// The run that this deal had first, in an event that is sent again. Only this service sets it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(skip))]
    pub first_run_id: Option<String>,
}

impl EventData for CreateDeal {
    const NAME: &'static str = "crm/create-deal";
}

impl CreateDeal {
    fn key(&self, run_id: &str) -> DealKey {
        DealKey::Run(self.first_run_id.clone().unwrap_or_else(|| run_id.to_owned()))
    }

    /// The same deal, to be sent again after its run `run_id` has failed.
    fn again(&self, run_id: &str) -> Self {
        let first = self.first_run_id.clone().unwrap_or_else(|| run_id.to_owned());
        Self { first_run_id: Some(first), ..self.clone() }
    }

    /// The deal that the run `run_id` shall create.
    fn deal(&self, run_id: &str, allowed: &BTreeSet<String>) -> Result<Deal> {
        let name = self.deal_name.clone().filter(|name| !name.trim().is_empty());
        let Some(name) = name else {
            return Err(person("dealName is required".to_owned()));
        };
        if self.entity_id == Some(0) {
            return Err(person(format!("entityId of deal `{name}` must be a positive integer")));
        }
        if self.amount.as_ref().is_some_and(|amount| !amount::is_exact(amount)) {
            return Err(person(format!(
                "amount of deal `{name}` is too large to be exact to the kopeck: send less than 70 trillion, or a whole \
                 number without exponent"
            )));
        }
        let mut fields = BTreeMap::new();
        for (field, value) in &self.fields {
            if !allowed.contains(field) {
                return Err(person(not_allowed(field, &name, allowed)));
            }
            let text = match value {
                Value::Null => continue,
                Value::String(text) => text.clone(),
                Value::Number(number) => amount::decimal(number),
                // The ERP's own words in its fields of this type.
                Value::Bool(yes) => yes.to_string(),
                Value::Array(_) | Value::Object(_) => {
                    return Err(person(format!(
                        "fields.{field} of deal `{name}` must be a text, a number, true or false"
                    )));
                }
            };
            fields.insert(field.clone(), text);
        }
        Ok(Deal {
            key: self.key(run_id),
            run_id: run_id.to_owned(),
            name,
            amount: self.amount.clone(),
            entity_id: self.entity_id,
            fields,
            reports: 0,
        })
    }
}

fn not_allowed(field: &str, name: &str, allowed: &BTreeSet<String>) -> String {
    let remedy = match allowed.is_empty() {
        true => "no fields are configured; name it in CRM_FIELDS and restart".to_owned(),
        false => {
            let allowed: Vec<_> = allowed.iter().map(String::as_str).collect();
            format!("those of CRM_FIELDS are {}", allowed.join(", "))
        }
    };
    format!("fields.{field} of deal `{name}` is not allowed: {remedy}")
}

/// A mistake in the event: it is the same the next time, and only the sender can mend it.
fn person(mistake: String) -> Error {
    Error::new(mistake).no_retry().named(WaitsFor::Person.error_name())
}

/// Each call of the ERP logs in anew and runs the ERP's own processes: a burst of deals waits in Inngest instead.
pub(crate) const ERP_CALLS_AT_ONCE: u32 = 5;

/// Creates a record in the ERP for each `crm/create-deal` event; its result is the ERP's reply.
pub struct CreateCrmDeal<E> {
    /// Where the record is created.
    pub erp: E,
    /// The ERP's fields that an event may name.
    pub fields: BTreeSet<String>,
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
        let deal = cx.event.data.deal(cx.run.id, &self.fields)?;
        let created =
            cx.step.run("create-erp-task", async || Ok(self.erp.create(&deal).await?)).await?;
        Ok(created.reply)
    }
}

impl<E: Erp> OnFailure for CreateCrmDeal<E> {
    async fn on_failure(&self, cx: FailureContext<'_, Self>) -> Result<()> {
        let Failure { run_id, error, event, .. } = &cx.failure;
        let (key, waits_for, event) = match event {
            Ok(event) => {
                let again = event.data.again(run_id);
                let data = serde_json::to_value(&again)?;
                let event = ResentEvent { name: CreateDeal::NAME, data };
                (again.key(run_id), WaitsFor::of_error(&error.name), Some(event))
            }
            // What cannot be read now cannot be read the next time.
            Err(_) => (DealKey::Run(run_id.clone()), Some(WaitsFor::Person), None),
        };
        let (run_id, reason) = (run_id.clone(), error.message.clone());
        // Noting it twice is noting it once, so it needs no step.
        Ok(self.erp.note_failure(&FailedDeal { key, run_id, reason, waits_for, event }).await?)
    }
}
