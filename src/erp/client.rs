use std::sync::Arc;

use functions::ports::{self, Created, Deal, DealKey, Erp};
use http::Method;
use http::header::{ACCEPT, CONTENT_TYPE};
use serde_json::{Value, json};

use super::call::{Call, column};
use super::error::{ErpError, Failure};
use super::fields;
use super::lookup::{self, MarkerLookup};
use super::reply::{Insertion, Reply};
use super::settings::ErpSettings;
use crate::clock::SharedClock;
use crate::outbound::{self, Answer, CallError, Limits, Outbound, Redactor};

/// The longest reply that is read. Replies are small; a page of HTML need not be read to its end.
const LONGEST_REPLY: usize = 256 * 1024;

/// The ERP. Cheap to clone.
#[derive(Clone)]
pub struct ErpClient {
    settings: Arc<ErpSettings>,
    outbound: Outbound,
    clock: SharedClock,
    redactor: Arc<Redactor>,
}

/// What an insert came to, short of a failure.
#[derive(Debug, Clone, PartialEq)]
pub enum Inserted {
    /// The record was created.
    Created {
        /// The ERP's reply, verbatim.
        reply: Value,
    },
    /// Nothing was created: a record with the same unique value exists.
    AlreadyExists {
        /// The unique fields that the ERP named, by their bare numbers.
        fields: Vec<String>,
    },
}

impl ErpClient {
    /// A client of the ERP that `settings` describe. Nothing is sent yet.
    pub fn new(settings: ErpSettings, outbound: Outbound, clock: SharedClock) -> Self {
        let redactor = Arc::new(Redactor::new([&settings.key, &settings.password]));
        Self { settings: Arc::new(settings), outbound, clock, redactor }
    }

    /// What the client was made with.
    pub fn settings(&self) -> &ErpSettings {
        &self.settings
    }

    /// Sends the record of `deal`, once, whatever was sent before.
    pub async fn insert(&self, deal: &Deal) -> Result<Inserted, ErpError> {
        let call = Call::insert(&self.settings, deal);
        let failed = |failure| ErpError::new(failure, deal, call.entity_id());
        let answer = self.send(&call).await.map_err(failed)?;
        match self.reply(&answer).insertion(&self.redactor).map_err(failed)? {
            Insertion::Created(reply) => Ok(Inserted::Created { reply }),
            Insertion::AlreadyExists { fields } => Ok(Inserted::AlreadyExists { fields }),
        }
    }

    /// `failure` as that of `deal`.
    pub fn error(&self, failure: Failure, deal: &Deal) -> ErpError {
        ErpError::new(failure, deal, deal.entity_id.unwrap_or(self.settings.entity_id))
    }

    /// Where the record of `deal` can be looked up: it is a lead's, and a marker field is configured.
    pub fn marked_lead(&self, deal: &Deal) -> Option<u64> {
        match deal.key {
            DealKey::Lead { lead_id, .. } if self.settings.field_external_id.is_some() => {
                Some(lead_id)
            }
            DealKey::Lead { .. } | DealKey::Run(_) => None,
        }
    }

    /// Looks up the record of a lead by the marker field, in `entity_id` or else the configured entity.
    ///
    /// After an insert of unknown outcome, ask no sooner than a minute later: the record may appear late.
    pub async fn find_by_marker(
        &self,
        lead_id: u64,
        entity_id: Option<u64>,
    ) -> Result<MarkerLookup, Failure> {
        let Some(marker) = &self.settings.field_external_id else {
            let reason = "no marker field is configured (CRM_FIELD_EXTERNAL_ID)".to_owned();
            return Ok(MarkerLookup::Untrusted(reason));
        };
        let entity_id = entity_id.unwrap_or(self.settings.entity_id);
        let reply = self.read(&Call::select(&self.settings, entity_id, marker, lead_id)).await?;
        Ok(lookup::read(&reply, marker, lead_id))
    }

    /// Asks for any one record of the configured entity: proves the address, the key, the login and the right to view.
    pub async fn probe(&self) -> Result<(), Failure> {
        self.read(&Call::probe(&self.settings)).await.map(drop)
    }

    /// Whether a record could be created now. The ERP checks the key, the login and the right to create before it sees
    /// that there is nothing to store, and refuses.
    pub async fn may_create(&self) -> Result<(), Failure> {
        match self.read(&Call::nothing(&self.settings)).await {
            Ok(_) | Err(Failure::Refused { .. }) => Ok(()),
            Err(failure) => Err(failure),
        }
    }

    /// Those of the configured fields that the configured entity does not have. `None` when the ERP's list of fields
    /// cannot be understood: its form is documented nowhere.
    pub async fn unknown_fields(&self) -> Result<Option<Vec<String>>, Failure> {
        let reply = self.read(&Call::entity_fields(&self.settings)).await?;
        Ok(fields::unknown(&reply, &self.settings))
    }

    async fn read(&self, call: &Call<'_>) -> Result<Value, Failure> {
        let answer = self.send(call).await.map_err(|failure| failure.of_reading(None))?;
        let reply = self.reply(&answer);
        reply.success(&self.redactor).map_err(|failure| failure.of_reading(reply.retry_after))
    }

    async fn send(&self, call: &Call<'_>) -> Result<Answer, Failure> {
        let (content_type, body) = call.encode().map_err(|error| Failure::Refused {
            message: error.to_string(),
            advice: "Nothing was sent: the deal cannot be written as a request",
        })?;
        let limits = Limits { timeout: self.settings.timeout, body: LONGEST_REPLY };
        let request = self
            .outbound
            .request(Method::POST, self.settings.api_url.clone())
            .map_err(|error| self.unanswered(&error))?
            .header(CONTENT_TYPE, content_type)
            .header(ACCEPT, "application/json")
            .body(body);
        outbound::send(request, limits).await.map_err(|error| self.unanswered(&error))
    }

    fn unanswered(&self, error: &CallError) -> Failure {
        let reason = self.redactor.clean(&error.to_string());
        match error {
            CallError::NotSent(_) => Failure::Unavailable { reason, retry_after: None },
            CallError::OutcomeUnknown(_) => Failure::Unknown { reason },
        }
    }

    fn reply<'a>(&self, answer: &'a Answer) -> Reply<'a> {
        Reply {
            status: answer.status.as_u16(),
            retry_after: outbound::retry_after(&answer.headers, self.clock.now()),
            body: &answer.body,
            complete: answer.complete,
            sent_as: self.settings.body,
        }
    }

    /// The record that made the ERP refuse a second one: `fields` are those of [`Inserted::AlreadyExists`].
    pub async fn existing(&self, deal: &Deal, fields: &[String]) -> Result<Created, ErpError> {
        let failed = |failure| {
            ErpError::new(failure, deal, deal.entity_id.unwrap_or(self.settings.entity_id))
        };
        let taken = format!("a unique field has this value already: {}", fields.join(", "));
        let refused = |message| failed(Failure::Refused { message, advice: LOOK_BY_HAND });
        let marker = self.settings.field_external_id.as_deref().map(column);
        let by_marker =
            fields.is_empty() || fields.iter().any(|field| Some(column(field)) == marker);
        let lead_id = match deal.key {
            DealKey::Lead { lead_id, .. } if marker.is_some() && by_marker => lead_id,
            DealKey::Lead { .. } | DealKey::Run(_) => return Err(refused(taken)),
        };
        match self.find_by_marker(lead_id, deal.entity_id).await.map_err(failed)? {
            MarkerLookup::Found(id) => {
                let reply = json!({"status": "success", "data": {"id": id}});
                Ok(Created { reply, duplicate: true })
            }
            MarkerLookup::Absent => Err(refused(format!("{taken}, but it shows no such record"))),
            MarkerLookup::Untrusted(reason) => {
                Err(refused(format!("{taken}, but the record cannot be looked up: {reason}")))
            }
        }
    }
}

const LOOK_BY_HAND: &str = "Nothing was created by this call. Find the existing record in the ERP, and check \
                            that the API user may view all records of the entity";

impl Erp for ErpClient {
    async fn create(&self, deal: &Deal) -> ports::Result<Created> {
        Ok(match self.insert(deal).await? {
            Inserted::Created { reply } => Created { reply, duplicate: false },
            Inserted::AlreadyExists { fields } => self.existing(deal, &fields).await?,
        })
    }
}

impl std::fmt::Debug for ErpClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ErpClient").field("settings", &self.settings).finish_non_exhaustive()
    }
}
