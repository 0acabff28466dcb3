use functions::ports::{self, Created, Deal, DealKey, Erp};

/// The ERP as configured, or the lack of it, which development mode allows.
#[derive(Debug, Clone)]
pub enum ErpPort<E> {
    /// There is an ERP to talk to.
    Configured(E),
    /// There is none.
    Missing(MissingErp),
}

/// The ERP is not configured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, thiserror::Error)]
#[error(
    "the ERP is not configured: set CRM_API_URL, CRM_API_KEY, CRM_API_USERNAME and CRM_API_PASSWORD, then replay the run"
)]
pub struct MissingErp;

impl<E: Erp> Erp for ErpPort<E> {
    async fn create(&self, deal: &Deal) -> ports::Result<Created> {
        match self {
            Self::Configured(erp) => erp.create(deal).await,
            Self::Missing(missing) => Err(ports::Error::never(*missing)),
        }
    }

    async fn note_failure(&self, key: &DealKey, run_id: &str, reason: &str) -> ports::Result<()> {
        match self {
            Self::Configured(erp) => erp.note_failure(key, run_id, reason).await,
            Self::Missing(_) => Ok(()),
        }
    }
}
