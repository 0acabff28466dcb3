use std::sync::Arc;

use functions::ports::{Deal, DealKey};
use http::Method;
use http::header::{ACCEPT, CONTENT_TYPE};
use serde_json::Value;

use super::call::{Call, column};
use super::error::{Barrier, ErpError};
use super::lookup::{self, MarkerLookup};
use super::response::{Clue, Insertion, Outcome, Response, Update, reply_of};
use super::send_by::{SendBy, TimedBody};
use super::settings::ErpSettings;
use super::text::stored_text;
use super::values::Values;
use crate::clock::SharedClock;
use crate::outbound::{self, Answer, CallError, Limits, Outbound, Redactor};

/// The longest reply that is read. Replies are small; a page of HTML need not be read to its end.
const LONGEST_REPLY: usize = 256 * 1024;

/// The ERP. Cheap to clone.
#[derive(Clone)]
pub(crate) struct ErpClient {
    settings: Arc<ErpSettings>,
    outbound: Outbound,
    clock: SharedClock,
    redactor: Arc<Redactor>,
}

impl ErpClient {
    /// A client of the ERP that `settings` describe. Nothing is sent yet.
    pub(crate) fn new(settings: ErpSettings, outbound: Outbound, clock: SharedClock) -> Self {
        let redactor = Arc::new(Redactor::new([&settings.key, &settings.password]));
        Self { settings: Arc::new(settings), outbound, clock, redactor }
    }

    /// What the client was made with.
    pub(crate) fn settings(&self) -> &ErpSettings {
        &self.settings
    }

    /// Sends the record of `deal`, once, whatever was sent before, and not later than `send_by`. After an error it was
    /// certainly not created.
    pub(crate) async fn insert(&self, deal: &Deal, send_by: SendBy) -> Result<Insertion, ErpError> {
        let (call, redactor) = (Call::insert(&self.settings, deal), self.redactor_of(deal));
        match self.outcome(&call, Some(send_by), &redactor).await {
            Outcome::Done(reply) => Ok(Insertion::of(reply, &redactor)),
            Outcome::Failed(error) => Err(error),
            Outcome::Unknown { reason, .. } => Ok(Insertion::Unknown { reason }),
        }
    }

    /// What the record of `deal` is given.
    pub(crate) fn values(&self, deal: &Deal) -> Values {
        Values::of(&self.settings, deal)
    }

    /// Writes `deal` into the record `id` of `entity_id`, not later than `send_by`. After an error it was certainly not
    /// written.
    pub(crate) async fn update(
        &self,
        entity_id: u64,
        id: &str,
        deal: &Deal,
        send_by: SendBy,
    ) -> Result<Update, ErpError> {
        let call = Call::update(&self.settings, entity_id, id, deal);
        let redactor = self.redactor_of(deal);
        match self.outcome(&call, Some(send_by), &redactor).await {
            Outcome::Done(reply) => Ok(Update::of(&reply, id, &redactor)),
            Outcome::Failed(error) => Err(error),
            Outcome::Unknown { reason, .. } => Ok(Update::Unknown { reason }),
        }
    }

    /// The entity that the record of `deal` belongs to.
    pub(crate) fn entity_of(&self, deal: &Deal) -> u64 {
        deal.entity_id.unwrap_or(self.settings.entity_id)
    }

    /// Where the record of `deal` can be looked up: it is a lead's, and a marker field is configured.
    pub(crate) fn marked_lead(&self, deal: &Deal) -> Option<u64> {
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
    pub(crate) async fn find_by_marker(
        &self,
        lead_id: u64,
        entity_id: Option<u64>,
    ) -> Result<MarkerLookup, ErpError> {
        let Some(marker) = &self.settings.field_external_id else {
            let reason = "no marker field is configured (CRM_FIELD_EXTERNAL_ID)".to_owned();
            return Ok(MarkerLookup::Untrusted(reason));
        };
        let entity_id = entity_id.unwrap_or(self.settings.entity_id);
        let select = Call::select(&self.settings, entity_id, marker, lead_id);
        let reply = reply_of(self.ask(&select, Barrier::View).await?)?;
        Ok(lookup::read(&reply, marker, lead_id))
    }

    /// The record that made the ERP refuse a second one: `fields` are those of [`Insertion::AlreadyExists`].
    pub(crate) async fn existing(
        &self,
        deal: &Deal,
        fields: &[String],
    ) -> Result<String, ErpError> {
        let taken = format!("a unique field has this value already: {}", fields.join(", "));
        let refused = |message| ErpError::Refused { message, advice: LOOK_BY_HAND };
        let marker = self.settings.field_external_id.as_deref().map(column);
        let by_marker =
            fields.is_empty() || fields.iter().any(|field| Some(column(field)) == marker);
        if !by_marker {
            return Err(ErpError::Refused { message: taken, advice: NOT_UNIQUE });
        }
        let Some(lead_id) = self.marked_lead(deal) else {
            return Err(refused(taken));
        };
        match self.find_by_marker(lead_id, deal.entity_id).await? {
            MarkerLookup::Found(id) => Ok(id),
            MarkerLookup::Absent => Err(refused(format!("{taken}, but it shows no such record"))),
            MarkerLookup::Untrusted(reason) => {
                Err(refused(format!("{taken}, but the record cannot be looked up: {reason}")))
            }
        }
    }

    pub(super) async fn read(&self, call: &Call<'_>) -> Result<Value, ErpError> {
        reply_of(self.call(call).await)
    }

    /// Makes a call that changes nothing.
    pub(super) async fn call(&self, call: &Call<'_>) -> Outcome {
        self.outcome(call, None, &self.redactor).await
    }

    /// Takes the secrets out of an answer, and the fields of `deal`: what is quoted of them may be personal.
    fn redactor_of(&self, deal: &Deal) -> Redactor {
        let texts: Vec<_> = deal.fields.values().map(|text| stored_text(text)).collect();
        self.redactor.and(texts.iter().map(String::as_str))
    }

    async fn outcome(
        &self,
        call: &Call<'_>,
        send_by: Option<SendBy>,
        redactor: &Redactor,
    ) -> Outcome {
        let timer = self.outbound.durations.begin([("call", call.name(send_by.is_none()).into())]);
        let outcome = self.outcome_of(call, send_by, redactor).await;
        timer.ends(outcome.name());
        outcome
    }

    async fn outcome_of(
        &self,
        call: &Call<'_>,
        send_by: Option<SendBy>,
        redactor: &Redactor,
    ) -> Outcome {
        let (content_type, body) = match call.encode() {
            Ok(encoded) => encoded,
            Err(error) => {
                let advice = "Nothing was sent: the deal cannot be written as a request";
                return Outcome::Failed(ErpError::Refused { message: error.to_string(), advice });
            }
        };
        let answer = match self.send(content_type, body, send_by).await {
            Ok(answer) => answer,
            Err(error) => {
                let (reason, retry_after) = (redactor.clean(&error.to_string()), None);
                return match error {
                    CallError::NotSent(_) => {
                        Outcome::Failed(ErpError::Unavailable { reason, retry_after })
                    }
                    CallError::OutcomeUnknown(_) => {
                        Outcome::Unknown { reason, retry_after, clue: Clue::None }
                    }
                };
            }
        };
        let response = Response {
            status: answer.status.as_u16(),
            retry_after: outbound::retry_after(&answer.headers, self.clock.now()),
            body: &answer.body,
            complete: answer.complete,
            sent_as: self.settings.body,
        };
        response.outcome(redactor)
    }

    async fn send(
        &self,
        content_type: &str,
        body: Vec<u8>,
        send_by: Option<SendBy>,
    ) -> Result<Answer, CallError> {
        let limits = Limits { timeout: self.settings.timeout, body: LONGEST_REPLY };
        let request = self.outbound.request(Method::POST, self.settings.api_url.clone())?;
        let request = request.header(CONTENT_TYPE, content_type).header(ACCEPT, "application/json");
        let Some(send_by) = send_by else {
            return outbound::send(request.body(body), limits).await;
        };
        let (body, withheld) = TimedBody::new(body, send_by);
        let sent = outbound::send(request.body(reqwest::Body::wrap(body)), limits).await;
        // Before the answer is looked at: what answers a request without a body has not created anything.
        if withheld.get() {
            let reason = "it was too late: too much time had passed since the deal was claimed";
            return Err(CallError::NotSent(reason.to_owned()));
        }
        sent
    }
}

const NOT_UNIQUE: &str = "Nothing was created. Only the marker field may be unique: set the Unique Field of the other one to \
                          No («Уникальное поле»: «Нет») in the ERP";
const LOOK_BY_HAND: &str = "Nothing was created by this call. Find the existing record in the ERP, and check \
                            that the API user may view all records of the entity";

impl std::fmt::Debug for ErpClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ErpClient").field("settings", &self.settings).finish_non_exhaustive()
    }
}
