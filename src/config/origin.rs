//! Where the world finds this service.

use inngest::Settings;
use url::Url;

use crate::amocrm::{AmoCrmAuth, AmoCrmSettings};

/// What was configured for Inngest or for the consent says it; there is no variable of its own to forget.
pub(super) fn public(inngest: &Settings, amocrm: Option<&AmoCrmSettings>) -> Option<Url> {
    let redirect = amocrm.and_then(|amocrm| match &amocrm.auth {
        AmoCrmAuth::OAuth(app) => Some(app.redirect_uri.as_str()),
        AmoCrmAuth::LongLived { .. } => None,
    });
    let address = inngest.serve_origin.as_deref().or(redirect)?;
    let mut origin = Url::parse(address).ok()?;
    origin.set_path("/");
    origin.set_query(None);
    origin.set_fragment(None);
    Some(origin)
}
