//! amoCRM's general webhooks: which addresses it calls, and about what.

use http::Method;
use serde::Deserialize;
use serde_json::json;

use super::answer::ApiError;
use super::call::ApiCall;
use super::client::AmoCrmClient;

const PATH: &str = "/api/v4/webhooks";

/// A webhook as amoCRM keeps it. Its `Debug` hides the address, which carries a secret.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub(in crate::amocrm) struct Webhook {
    /// The address that amoCRM calls.
    pub(in crate::amocrm) destination: String,
    /// What it calls about.
    #[serde(default)]
    pub(in crate::amocrm) settings: Vec<String>,
    /// amoCRM has switched it off, after too many answers other than 2xx.
    #[serde(default)]
    pub(in crate::amocrm) disabled: bool,
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

impl AmoCrmClient {
    /// All webhooks of the account; there are at most a hundred. Takes an administrator's token.
    pub(in crate::amocrm) async fn webhooks(&self) -> Result<Vec<Webhook>, ApiError> {
        let list: Option<List> = self.read(&ApiCall::get(PATH).needing_rights()).await?;
        Ok(list.map(|list| list.embedded.webhooks).unwrap_or_default())
    }

    /// Creates the webhook for `destination`, or sets the one there is to `events`.
    pub(in crate::amocrm) async fn subscribe(
        &self,
        destination: &str,
        events: &[&str],
    ) -> Result<(), ApiError> {
        let body = json!({"destination": destination, "settings": events, "sort": 10});
        let call = ApiCall::sending(Method::POST, PATH, body).needing_rights();
        self.send(&call.hiding(destination)).await.map(drop)
    }

    /// Removes the webhook for `destination`. One that is gone already is no error.
    pub(in crate::amocrm) async fn unsubscribe(&self, destination: &str) -> Result<(), ApiError> {
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
