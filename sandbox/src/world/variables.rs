use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use super::World;
use crate::{FakeAmoCrm, FakeErp};

/// Variables by name.
pub type Variables = BTreeMap<String, String>;

/// What webhooks carry in cloud mode. No secret: it is valid in this world only.
const WEBHOOK_SECRET: &str = "sandbox-webhook-secret";

impl World {
    /// Everything that the service reads from its environment.
    pub(super) fn variables(
        &self,
        amocrm: &FakeAmoCrm,
        erp: &FakeErp,
        inngest: &str,
        app: SocketAddr,
        folder: &Path,
    ) -> Variables {
        let mut variables = Variables::new();
        let mut set = |name: &str, value: &str| {
            variables.insert(name.to_owned(), value.to_owned());
        };
        set("DATABASE_URL", &format!("sqlite://{}/flow.db", folder.display()));
        set("INNGEST_SERVE_ORIGIN", &format!("http://{app}"));
        match &self.keys {
            None => set("INNGEST_DEV", inngest),
            Some(keys) => {
                set("INNGEST_BASE_URL", inngest);
                set("INNGEST_SIGNING_KEY", &keys.signing);
                set("INNGEST_EVENT_KEY", &keys.event);
                set("AMOCRM_WEBHOOK_SECRET", WEBHOOK_SECRET);
            }
        }
        if self.told.amocrm {
            let settings = &self.amocrm;
            set("AMOCRM_BASE_URL", amocrm.url().as_str().trim_end_matches('/'));
            set("AMOCRM_CLIENT_ID", &settings.client_id);
            set("AMOCRM_CLIENT_SECRET", &settings.client_secret);
            set("AMOCRM_REDIRECT_URI", &settings.redirect_uri);
            set("AMOCRM_REFRESH_TOKEN", &settings.refresh_token);
        }
        if self.told.erp {
            let settings = &self.erp;
            set("CRM_API_URL", erp.url().as_str());
            set("CRM_API_KEY", &settings.key);
            set("CRM_API_USERNAME", &settings.username);
            set("CRM_API_PASSWORD", &settings.password);
        }
        for (name, value) in &self.changes {
            set(name, value);
        }
        variables.retain(|_, value| !value.is_empty());
        variables
    }
}
