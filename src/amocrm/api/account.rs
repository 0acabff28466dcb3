use serde::Deserialize;

use super::answer::ApiError;
use super::client::AmoCrmClient;

/// The account that the token opens.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Account {
    /// Its id, for `AMOCRM_ACCOUNT_ID`.
    pub(crate) id: u64,
    /// Its subdomain, for `AMOCRM_SUBDOMAIN`.
    pub(crate) subdomain: Option<String>,
    /// Its name.
    pub(crate) name: Option<String>,
}

impl AmoCrmClient {
    /// The account that the token opens.
    pub(crate) async fn account(&self) -> Result<Account, ApiError> {
        let account = self.get("/api/v4/account", Vec::new()).await?;
        account.ok_or_else(|| ApiError::Unreadable("it names no account".to_owned()))
    }
}
