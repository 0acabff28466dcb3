//! Questions to the ERP that create nothing, whatever it answers.
//!
//! Rukovoditel checks the key, the caller's address and the login, then the entity and the right, and only then what it was
//! given. So an insert without items shows whether a record could be created, and an action that it does not have, whether
//! the login works. PHP 8 makes an empty 500 of most refusals of access: what that stands for is found out by asking for
//! less, until the ERP says something.

use functions::ports::Deal;
use secrecy::SecretString;

use super::call::{Call, NO_ACTION};
use super::client::ErpClient;
use super::error::{Barrier, ErpError};
use super::fields::EntityFields;
use super::response::{Clue, Outcome, reply_of};
use super::settings::ErpSettings;

/// What PHP 8 makes of a refusal of access: this, or with `display_errors` a page that says as little.
const SILENT: &str = "it answers with an error of PHP";

impl ErpClient {
    /// Whether an insert into the entity would be acted on now. What it refuses in its own words counts as a yes: it would
    /// refuse a deal in the same words.
    pub(crate) async fn may_create(&self, entity_id: u64) -> Result<(), ErpError> {
        match self.ask(&Call::nothing(self.settings(), entity_id), Barrier::Create).await? {
            Outcome::Done(_) | Outcome::Failed(ErpError::Refused { .. }) => Ok(()),
            Outcome::Failed(error) => Err(error),
            // No page of a failed query is such a word, whatever it says.
            Outcome::Unknown { reason, retry_after, .. } => {
                Err(ErpError::Unavailable { reason, retry_after })
            }
        }
    }

    /// Whether all records of the configured entity may be viewed.
    pub(crate) async fn may_view(&self) -> Result<(), ErpError> {
        reply_of(self.ask(&Call::any_record(self.settings()), Barrier::View).await?).map(drop)
    }

    /// Whether records of the configured entity may be changed: no record has the id that is asked for.
    pub(crate) async fn may_update(&self) -> Result<(), ErpError> {
        reply_of(self.ask(&Call::update_of_none(self.settings()), Barrier::Update).await?).map(drop)
    }

    /// Whether the key, the login and the address of this machine are right.
    pub(crate) async fn logs_in(&self) -> Result<(), ErpError> {
        match self.call(&Call::unknown_action(self.settings())).await {
            Outcome::Done(_) => Ok(()),
            // Actions are looked at after the login.
            Outcome::Failed(ErpError::Refused { message, .. }) if message.contains(NO_ACTION) => {
                Ok(())
            }
            Outcome::Failed(ErpError::NoAccess { message, barrier: Barrier::Unknown }) => {
                Err(ErpError::NoAccess { message, barrier: Barrier::LoginOrAddress })
            }
            Outcome::Failed(error) => Err(error),
            Outcome::Unknown { clue: Clue::Silent500, .. } if self.is_alive().await => {
                let message = format!("{SILENT}, though it says when a key is wrong");
                Err(ErpError::NoAccess { message, barrier: Barrier::LoginOrAddress })
            }
            Outcome::Unknown { reason, retry_after, .. } => {
                Err(ErpError::Unavailable { reason, retry_after })
            }
        }
    }

    /// The fields of the configured entity. `None`: the ERP's list of them cannot be understood.
    pub(crate) async fn entity_fields(&self) -> Result<Option<EntityFields>, ErpError> {
        let reply = self.read(&Call::entity_fields(self.settings())).await?;
        Ok(EntityFields::read(&reply))
    }

    /// Whether an update would write all of `deal`. The ERP leaves out what it has no field for, and says nothing.
    pub(crate) async fn has_fields_of(&self, deal: &Deal) -> Result<(), ErpError> {
        let Some(known) = self.entity_fields().await? else { return Ok(()) };
        let settings = self.settings();
        let fields = [&settings.field_deal_name, &settings.field_amount].into_iter();
        match fields.chain(deal.fields.keys()).find(|field| !known.has(field)) {
            None => Ok(()),
            Some(field) => Err(ErpError::Refused {
                message: format!("{field} not exist in entity {}", settings.entity_id),
                advice: "Nothing was written",
            }),
        }
    }

    /// Whether each record of the configured entity belongs to a record of another one. The ERP asks for that one before it
    /// looks at the fields, and no entity has the field that it is given.
    pub(crate) async fn is_sub_entity(&self) -> Result<bool, ErpError> {
        match self.read(&Call::no_such_field(self.settings())).await {
            Ok(_) => Ok(false),
            Err(ErpError::Refused { message, .. }) => Ok(message == "parent_item_id is required"),
            Err(error) => Err(error),
        }
    }

    /// The answer to a question that needs a `right`, unless it is that right that is missing, or access as a whole.
    pub(super) async fn ask(
        &self,
        question: &Call<'_>,
        right: Barrier,
    ) -> Result<Outcome, ErpError> {
        let mut answer = self.call(question).await;
        if is_silent(&answer) {
            self.logs_in().await?;
            // One that broke down in between has an answer now.
            answer = self.call(question).await;
        }
        match answer {
            Outcome::Failed(ErpError::NoAccess { message, barrier: Barrier::Right }) => {
                Err(ErpError::NoAccess { message, barrier: right })
            }
            silent if is_silent(&silent) => {
                let message = format!("{SILENT}, though the login works");
                Err(ErpError::NoAccess { message, barrier: right })
            }
            answer => Ok(answer),
        }
    }

    /// Whether the API answers at all: it says so itself when a key is wrong, before it looks at the login.
    async fn is_alive(&self) -> bool {
        let without_login = ErpSettings {
            key: SecretString::default(),
            username: String::new(),
            password: SecretString::default(),
            ..self.settings().clone()
        };
        let answer = self.call(&Call::unknown_action(&without_login)).await;
        matches!(answer, Outcome::Failed(ErpError::NoAccess { barrier: Barrier::Key, .. }))
    }
}

/// Whether this is all that PHP 8 lets the ERP say of a refusal of access.
fn is_silent(answer: &Outcome) -> bool {
    matches!(
        answer,
        Outcome::Failed(ErpError::NoAccess { barrier: Barrier::Unknown, .. })
            | Outcome::Unknown { clue: Clue::Silent500, .. }
    )
}
