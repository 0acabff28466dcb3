use std::collections::BTreeSet;
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

/// How long one call may take. The ERP sends mail and runs its own processes within an insert.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);

/// Where the ERP is, how to log in, and where a deal goes. Its `Debug` shows no secret.
#[derive(Debug, Clone)]
pub(crate) struct ErpSettings {
    /// `CRM_API_URL`, the full address of `api/rest.php`.
    pub api_url: Url,
    /// `CRM_API_KEY`.
    pub key: SecretString,
    /// `CRM_API_USERNAME`.
    pub username: String,
    /// `CRM_API_PASSWORD`.
    pub password: SecretString,
    /// `CRM_BODY`.
    pub body: Body,
    /// `CRM_ENTITY_ID`; a deal may name another one.
    pub entity_id: u64,
    /// `CRM_FIELD_DEAL_NAME`, for instance `field_1039`.
    pub field_deal_name: String,
    /// `CRM_FIELD_AMOUNT`, for instance `field_1040`.
    pub field_amount: String,
    /// `CRM_FIELD_EXTERNAL_ID`: the unique marker field that holds the amoCRM lead's id.
    pub field_external_id: Option<String>,
    /// `CRM_CREATED_BY`: the ERP's user in whose name records are made; the API's user where it is absent.
    pub created_by: Option<u64>,
    /// `CRM_FIELDS`: the other fields of a record that take a text.
    pub text_fields: BTreeSet<String>,
    /// `CRM_FIELDS`: those that take one of the ERP's users.
    pub user_fields: BTreeSet<String>,
    /// How long one call may take; 30 s outside tests.
    pub timeout: Duration,
}

impl ErpSettings {
    /// The fields of a record that deals bring values for. The marker is not one of them.
    pub(crate) fn fields(&self) -> impl Iterator<Item = &str> {
        [self.field_deal_name.as_str(), self.field_amount.as_str()].into_iter()
    }
}

/// How requests are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Body {
    /// JSON: Rukovoditel 3.6 and later.
    #[default]
    Json,
    /// A form: every version.
    Form,
}
