use functions::ports::{self, AmoCrm, Authorization, Lead};

use super::api::AmoCrmClient;
use super::settings::AmoCrmSettings;
use crate::db::Db;
use crate::outbound::Outbound;

/// amoCRM as configured, or the lack of it. The function is registered either way; without amoCRM its runs fail and
/// say what to set.
#[derive(Clone)]
pub(crate) enum AmoCrmPort {
    /// There is an account to talk to.
    Configured(AmoCrmClient),
    /// There is none.
    Missing(MissingAmoCrm),
}

/// amoCRM is not configured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, thiserror::Error)]
#[error(
    "amoCRM is not configured: set AMOCRM_SUBDOMAIN, AMOCRM_CLIENT_ID, AMOCRM_CLIENT_SECRET, AMOCRM_REDIRECT_URI and \
     AMOCRM_REFRESH_TOKEN, or AMOCRM_SUBDOMAIN and AMOCRM_ACCESS_TOKEN, restart, then replay the run"
)]
pub(crate) struct MissingAmoCrm;

impl From<MissingAmoCrm> for ports::Error {
    fn from(missing: MissingAmoCrm) -> Self {
        Self::never(missing)
    }
}

impl AmoCrmPort {
    /// amoCRM as `settings` describe it, with its tokens in `db`.
    pub(crate) fn new(settings: Option<AmoCrmSettings>, db: &Db, outbound: &Outbound) -> Self {
        settings.map_or(Self::Missing(MissingAmoCrm), |settings| {
            let clock = db.clock();
            Self::Configured(AmoCrmClient::new(settings, db.clone(), outbound.clone(), clock))
        })
    }

    /// Waits for an exchange of tokens that is under way. A process that ends within one loses the new pair.
    pub(crate) async fn drain(&self) {
        if let Self::Configured(client) = self {
            client.auth().wait_for_exchange().await;
        }
    }

    /// The client, or what to set.
    pub(crate) fn client(&self) -> Result<&AmoCrmClient, MissingAmoCrm> {
        match self {
            Self::Configured(client) => Ok(client),
            Self::Missing(missing) => Err(*missing),
        }
    }
}

impl AmoCrm for AmoCrmPort {
    async fn authorize(&self) -> ports::Result<Authorization> {
        Ok(self.client()?.authorize().await?)
    }

    async fn lead(&self, lead_id: u64) -> ports::Result<Option<Lead>> {
        Ok(self.client()?.lead(lead_id).await?)
    }
}
