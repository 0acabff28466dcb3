//! amoCRM's general webhooks: which addresses it calls, and about what.

use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::answer::{self as api, ApiError};
use super::call::ApiCall;
use super::client::AmoCrmClient;
use crate::amocrm::auth::TokenStore;

const PATH: &str = "/api/v4/webhooks";

/// What this service wants to hear of, in the words of amoCRM's API.
pub const SETTINGS: [&str; 3] = ["status_lead", "add_lead", "restore_lead"];

/// A webhook as amoCRM keeps it. Its `Debug` hides the address, which carries a secret.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct Webhook {
    /// The address that amoCRM calls.
    pub destination: String,
    /// What it calls about.
    #[serde(default)]
    pub settings: Vec<String>,
    /// amoCRM has given up on the address: too many wrong answers.
    #[serde(default)]
    pub disabled: bool,
}

#[derive(Deserialize)]
struct List {
    #[serde(rename = "_embedded")]
    embedded: Embedded,
}

#[derive(Deserialize)]
struct Embedded {
    webhooks: Vec<Webhook>,
}

impl<S: TokenStore> AmoCrmClient<S> {
    /// All webhooks of the account; there are at most a hundred. Takes an administrator's token.
    pub async fn webhooks(&self) -> Result<Vec<Webhook>, ApiError> {
        let answer = self.send(&ApiCall::get(PATH).needing_rights()).await?;
        if answer.status == StatusCode::NO_CONTENT {
            return Ok(Vec::new());
        }
        api::json::<List>(&answer).map(|list| list.embedded.webhooks)
    }

    /// Creates the webhook for `destination`, or sets the one there is to what this service wants to hear of.
    pub async fn subscribe(&self, destination: &str) -> Result<Webhook, ApiError> {
        let body = json!({"destination": destination, "settings": SETTINGS, "sort": 10});
        let call = ApiCall::sending(Method::POST, PATH, body).needing_rights();
        let call = call.hiding(destination);
        api::json(&self.send(&call).await?)
    }

    /// Removes the webhook for `destination`. One that is gone already is no error.
    pub async fn unsubscribe(&self, destination: &str) -> Result<(), ApiError> {
        let body = json!({"destination": destination});
        let call = ApiCall::sending(Method::DELETE, PATH, body).needing_rights();
        match self.send(&call.hiding(destination)).await {
            Ok(_) => Ok(()),
            Err(ApiError::Refused(reason)) if reason.starts_with("HTTP 404") => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Webhook")
            .field("settings", &self.settings)
            .field("disabled", &self.disabled)
            .finish_non_exhaustive()
    }
}
