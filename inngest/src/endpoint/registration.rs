//! An app that registers itself, and asks whether it still is. A server that asks for it is answered by `sync`.

use std::sync::atomic::Ordering;

use url::Url;

use super::Endpoint;
use super::register::Registration;
use super::serve_url;
use crate::RegistrationError;

impl Endpoint {
    /// Where Inngest finds this endpoint, as far as the settings say it: `INNGEST_SERVE_ORIGIN`, with `INNGEST_SERVE_PATH`
    /// or `/api/inngest`.
    pub fn serve_url(&self) -> Option<Url> {
        serve_url::of_settings(self.inner.client.settings(), serve_url::DEFAULT_PATH)
    }

    /// Registers the functions with Inngest, to be called at `url`. It replaces the registration of the same app at
    /// another URL; repeated, it changes nothing. Returns whether it did. It takes 8 seconds at most.
    pub async fn register_at(&self, url: Url) -> Result<bool, RegistrationError> {
        let registration = Registration { url, deploy_id: None, server_kind: None };
        self.announce(&registration).await
    }

    /// The ids of the functions of this endpoint, in the order of their registration.
    pub fn function_ids(&self) -> impl Iterator<Item = &str> {
        self.inner.functions.iter().map(|served| served.id.as_str())
    }

    /// The functions of this endpoint that Inngest does not know. Events that would start them are accepted, and start
    /// nothing. It takes 8 seconds at most.
    pub async fn unknown_functions(&self) -> Result<Vec<&str>, RegistrationError> {
        let known = self.inner.client.registered_functions(&self.inner.app_id).await?;
        Ok(self.function_ids().filter(|id| !known.iter().any(|known| known == id)).collect())
    }

    /// How often Inngest has shown that it knows the functions since the endpoint was built: it called one, or took the
    /// registration.
    pub fn contacts(&self) -> u64 {
        self.inner.contacts.load(Ordering::Relaxed)
    }
}
