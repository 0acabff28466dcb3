//! amoCRM's bin: whether a lead that is not there was deleted.

use serde::Deserialize;

use super::answer::ApiError;
use super::call::ApiCall;
use super::client::AmoCrmClient;

/// What amoCRM shows of a deleted lead: little more than that it is one.
#[derive(Deserialize)]
struct Deleted {
    id: u64,
    #[serde(default)]
    is_deleted: bool,
}

impl AmoCrmClient {
    /// Whether lead `lead_id` is in the bin. Only an answer that says so counts: amoCRM is known to ignore parameters, and one
    /// that refuses this question knows nothing of the lead.
    pub(in crate::amocrm) async fn is_in_bin(&self, lead_id: u64) -> Result<bool, ApiError> {
        let path = format!("/api/v4/leads/{lead_id}");
        let query = vec![("with".to_owned(), "only_deleted".to_owned())];
        let call = ApiCall::look_for(&path).query(query);
        match self.read::<Deleted>(&call).await {
            Ok(found) => Ok(found.is_some_and(|lead| lead.id == lead_id && lead.is_deleted)),
            Err(ApiError::Refused(_) | ApiError::Unreadable(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
