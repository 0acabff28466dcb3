//! Where the world finds this service.

use url::Url;

use super::Config;
use crate::admin::Links;
use crate::amocrm::AmoCrmAuth;
use crate::amocrm::hook::{Destination, Events};
use crate::deals::{Dedupe, OnChange};

impl Config {
    /// The address of this service as the world knows it, from `INNGEST_SERVE_ORIGIN` or `AMOCRM_REDIRECT_URI`: there is
    /// no variable of its own to forget.
    pub(crate) fn public_origin(&self) -> Option<Url> {
        let redirect = self.amocrm.as_ref().and_then(|amocrm| match &amocrm.auth {
            AmoCrmAuth::OAuth(app) => Some(app.redirect_uri.as_str()),
            AmoCrmAuth::LongLived { .. } => None,
        });
        let address = self.inngest.serve_origin.as_deref().or(redirect)?;
        let mut origin = Url::parse(address).ok()?;
        origin.set_path("/");
        origin.set_query(None);
        origin.set_fragment(None);
        Some(origin)
    }

    /// Where a person goes on from the status page.
    pub(crate) fn links(&self) -> Links {
        let amocrm = self.amocrm.as_ref();
        let oauth = amocrm.filter(|amocrm| matches!(amocrm.auth, AmoCrmAuth::OAuth(_)));
        let inngest = Url::parse(&self.inngest.api_origin).ok();
        Links {
            amocrm: amocrm.map(|amocrm| amocrm.base_url.as_url().clone()),
            // A server of one's own has its pages where its API is; those of Inngest Cloud are elsewhere.
            inngest: inngest.filter(|url| url.host_str() != Some("api.inngest.com")),
            consent: oauth.and_then(|_| self.public_origin()?.join("/oauth/start").ok()),
        }
    }

    /// The address that amoCRM should call, where it is known and amoCRM can reach it.
    pub(crate) fn webhook_destination(&self) -> Option<Destination> {
        let amocrm = self.amocrm.as_ref()?;
        let origin = self.public_origin()?;
        let reachable = origin.scheme() == "https" || amocrm.base_url.is_local();
        reachable.then(|| self.webhook_at(&origin))
    }

    /// The address below `origin` that amoCRM should call, and about what.
    pub(crate) fn webhook_at(&self, origin: &Url) -> Destination {
        let by_stage = self.webhook.filter.trigger_statuses.is_some();
        let events = Events::new(by_stage, self.rules.dedupe == Dedupe::Event);
        let events = events.and_changes(self.rules.on_change != OnChange::Ignore);
        Destination::new(origin, self.webhook.secrets.last(), events)
    }
}
