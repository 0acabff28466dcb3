use serde::Deserialize;

use super::answer::{self as api, ApiError};
use super::call::ApiCall;
use super::client::AmoCrmClient;
use crate::amocrm::auth::TokenStore;

/// The account that the token opens.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Account {
    /// Its id, for `AMOCRM_ACCOUNT_ID`.
    pub id: u64,
    /// Its subdomain, for `AMOCRM_SUBDOMAIN`.
    pub subdomain: Option<String>,
    /// Its name.
    pub name: Option<String>,
}

impl<S: TokenStore> AmoCrmClient<S> {
    /// The account that the token opens.
    pub async fn account(&self) -> Result<Account, ApiError> {
        self.send(&ApiCall::get("/api/v4/account")).await.and_then(|answer| api::json(&answer))
    }
}
