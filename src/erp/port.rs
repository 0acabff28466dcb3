use functions::ports::{Created, Deal, Erp};

use super::client::ErpClient;

/// The ERP as configured, or the lack of it, which development mode allows.
#[derive(Clone)]
pub enum ErpPort {
    /// There is an ERP to talk to.
    Configured(ErpClient),
    /// There is none.
    Missing(MissingErp),
}

/// The ERP is not configured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, thiserror::Error)]
#[error(
    "the ERP is not configured: set CRM_API_URL, CRM_API_KEY, CRM_API_USERNAME and CRM_API_PASSWORD, then replay the run"
)]
pub struct MissingErp;

impl Erp for ErpPort {
    async fn create(&self, deal: &Deal) -> inngest::Result<Created> {
        match self {
            Self::Configured(client) => client.create(deal).await,
            Self::Missing(missing) => Err(inngest::Error::new(*missing).no_retry()),
        }
    }
}
