use std::collections::BTreeMap;

use functions::ports::{More, Related};
use serde_json::Value;

use super::answer::ApiError;
use super::call::ApiCall;
use super::client::AmoCrmClient;
use super::lead::{ReadError, WireLead};
use super::pipelines::Pipeline;
use crate::amocrm::mapping::{Source, values};

impl AmoCrmClient {
    /// What the record of `lead` shall hold besides name and amount, as far as the lead itself and its pipeline say it.
    pub(super) async fn more(&self, lead: &WireLead) -> Result<More, ApiError> {
        let mapping = &self.settings().mapping;
        let (pipeline_id, status_id) = (lead.pipeline_id.as_u64(), lead.status_id.as_u64());
        let pipeline = match pipeline_id {
            Some(id) if mapping.uses_pipeline() => self.pipeline(id, status_id).await?,
            _ => Pipeline::default(),
        };
        let base = self.auth().base_url();
        let fields = mapping.texts(|source| match source {
            Source::LeadId => Some(lead.id.to_string()),
            Source::LeadUrl => Some(base.at(&format!("/leads/detail/{}", lead.id)).to_string()),
            Source::CreatedAt => values::moment(&lead.created_at),
            Source::Responsible => self.responsible(lead),
            Source::Pipeline => pipeline.name.clone(),
            Source::Status => pipeline.stage(status_id?),
            Source::Tags => values::names(&lead.embedded["tags"]),
            Source::Custom(id) => values::custom(&lead.custom_fields_values, id),
            Source::Contact(_) | Source::Company(_) => None,
        });
        let main = |list: &Value| {
            let list = list.as_array()?;
            let main = list.iter().find(|entry| entry["is_main"] == true).or(list.first())?;
            main["id"].as_u64()
        };
        let related = Related {
            contact_id: main(&lead.embedded["contacts"]).filter(|_| mapping.uses_contact()),
            company_id: main(&lead.embedded["companies"]).filter(|_| mapping.uses_company()),
        };
        Ok(More { fields, related })
    }

    /// The ERP's user for the one who is responsible for `lead`.
    fn responsible(&self, lead: &WireLead) -> Option<String> {
        let user = lead.responsible_user_id.as_u64()?;
        let known = self.settings().mapping.users.get(&user);
        if known.is_none() {
            let lead = lead.id;
            tracing::warn!(
                lead,
                user,
                "the responsible user is not in CRM_USERS: the field stays empty"
            );
        }
        known.map(u64::to_string)
    }

    /// What the record shall hold of a contact and a company. One that is gone leaves its fields out.
    pub(in crate::amocrm) async fn related(
        &self,
        related: Related,
    ) -> Result<BTreeMap<String, String>, ReadError> {
        let contact = self.entity("contact", "contacts", related.contact_id).await?;
        let company = self.entity("company", "companies", related.company_id).await?;
        Ok(self.settings().mapping.texts(|source| match source {
            Source::Contact(detail) => values::detail(contact.as_ref()?, detail),
            Source::Company(detail) => values::detail(company.as_ref()?, detail),
            _ => None,
        }))
    }

    async fn entity(
        &self,
        kind: &'static str,
        kinds: &str,
        id: Option<u64>,
    ) -> Result<Option<Value>, ReadError> {
        let Some(id) = id else { return Ok(None) };
        let path = format!("/api/v4/{kinds}/{id}");
        let error = |source| ReadError { kind, id, source };
        // Rights to contacts are not rights to leads: a refusal says nothing about other calls.
        let call = ApiCall::look_for(&path).needing_rights();
        let entity = self.read::<Value>(&call).await.map_err(error)?;
        match entity {
            Some(other) if other["id"] != id => {
                let mismatch = format!("amoCRM answered with another {kind}, {}", other["id"]);
                Err(error(ApiError::Mismatch(mismatch)))
            }
            entity => Ok(entity),
        }
    }

    /// The names in a pipeline, not older than ten minutes, unless a stage is asked for that is newer than they are. There
    /// are none where amoCRM does not show the pipeline.
    async fn pipeline(
        &self,
        pipeline_id: u64,
        status_id: Option<u64>,
    ) -> Result<Pipeline, ApiError> {
        let now = self.uptime();
        if let Some(pipeline) = self.pipelines().fresh(pipeline_id, status_id, now) {
            return Ok(pipeline);
        }
        let path = format!("/api/v4/leads/pipelines/{pipeline_id}");
        let call = ApiCall::look_for(&path).needing_rights();
        let answer = self.read::<Value>(&call).await?;
        let pipeline = answer.as_ref().map(Pipeline::of).unwrap_or_default();
        self.pipelines().keep(pipeline_id, now, pipeline.clone());
        Ok(pipeline)
    }
}
