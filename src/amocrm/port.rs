use functions::ports::{self, AmoCrm, Authorization, Lead};

use crate::amocrm::api::AmoCrmClient;
use crate::amocrm::auth::TokenStore;

/// amoCRM as configured, or the lack of it. The function is registered either way; without amoCRM its runs fail and
/// say what to set.
#[derive(Debug, Clone)]
pub enum AmoCrmPort<S> {
    /// There is an account to talk to.
    Configured(AmoCrmClient<S>),
    /// There is none.
    Missing(MissingAmoCrm),
}

/// amoCRM is not configured.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("amoCRM is not configured: set {}, then replay the run", .variables.join(", "))]
pub struct MissingAmoCrm {
    /// The variables that are missing.
    pub variables: Vec<String>,
}

impl Default for MissingAmoCrm {
    /// The whole group is missing.
    fn default() -> Self {
        let group = [
            "AMOCRM_SUBDOMAIN",
            "AMOCRM_CLIENT_ID",
            "AMOCRM_CLIENT_SECRET",
            "AMOCRM_REDIRECT_URI",
            "AMOCRM_REFRESH_TOKEN (or AMOCRM_SUBDOMAIN and AMOCRM_ACCESS_TOKEN)",
        ];
        Self { variables: group.map(str::to_owned).to_vec() }
    }
}

impl From<MissingAmoCrm> for ports::Error {
    fn from(missing: MissingAmoCrm) -> Self {
        Self::never(missing)
    }
}

impl<S> AmoCrmPort<S> {
    /// The client, or what to set.
    pub fn client(&self) -> Result<&AmoCrmClient<S>, MissingAmoCrm> {
        match self {
            Self::Configured(client) => Ok(client),
            Self::Missing(missing) => Err(missing.clone()),
        }
    }
}

impl<S: TokenStore> AmoCrm for AmoCrmPort<S> {
    async fn authorize(&self) -> ports::Result<Authorization> {
        self.client()?.authorize().await
    }

    async fn lead(&self, lead_id: u64) -> ports::Result<Option<Lead>> {
        self.client()?.lead(lead_id).await
    }
}
