//! The webhook that amoCRM must have for this service: what is wrong with it, and its repair.

use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::api::{AmoCrmClient, ApiError, CHANGES, SETTINGS, Webhook};

/// The path that amoCRM calls.
const PATH: &str = "/api/amocrm-webhook";

/// The address that amoCRM must call. Its `Debug` hides the secret in it.
#[derive(Clone)]
pub(crate) struct Destination {
    /// Without the secret, for people to read.
    shown: Url,
    full: SecretString,
    follows_changes: bool,
}

/// The state of the webhook for our address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Health {
    /// It is there, on, and called about all that it must be.
    Good,
    /// There is no webhook for our address.
    Missing,
    /// amoCRM has switched it off, after too many answers other than 2xx.
    Disabled,
    /// It is there and on, but not called about these.
    Incomplete(Vec<&'static str>),
}

/// The webhooks that amoCRM has for this service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subscription {
    /// The one for our address.
    pub(crate) health: Health,
    /// How many there are for our address with another secret, which are answered 401: left from before a change.
    pub(crate) stale: usize,
}

impl Subscription {
    /// Whether nothing needs to be done.
    pub(crate) fn is_good(&self) -> bool {
        self.health == Health::Good && self.stale == 0
    }
}

impl std::fmt::Display for Subscription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.health {
            Health::Good => write!(f, "the webhook is in place")?,
            Health::Missing => write!(f, "amoCRM has no webhook for this address")?,
            Health::Disabled => {
                write!(f, "amoCRM has switched the webhook off, after too many failed calls")?;
            }
            Health::Incomplete(missing) => {
                write!(f, "the webhook is not called about {}", missing.join(", "))?;
            }
        }
        match self.stale {
            0 => Ok(()),
            n => write!(f, "; {n} more for this address with another secret"),
        }
    }
}

impl Destination {
    /// The address below `origin`, or `origin` itself where it has a path, with `secret`.
    pub(crate) fn new(origin: &Url, secret: Option<&SecretString>) -> Self {
        let mut shown = origin.clone();
        if shown.path() == "/" {
            shown.set_path(PATH);
        }
        shown.set_query(None);
        shown.set_fragment(None);
        let mut full = shown.clone();
        if let Some(secret) = secret {
            full.query_pairs_mut().append_pair("secret", secret.expose_secret());
        }
        Self { shown, full: SecretString::from(String::from(full)), follows_changes: false }
    }

    /// The same, called also about leads that are changed or deleted.
    #[must_use]
    pub(crate) fn following_changes(self, follows_changes: bool) -> Self {
        Self { follows_changes, ..self }
    }

    /// What amoCRM must call it about.
    fn settings(&self) -> Vec<&'static str> {
        let changes = CHANGES.iter().filter(|_| self.follows_changes);
        SETTINGS.iter().chain(changes).copied().collect()
    }

    /// The address without its secret.
    pub(crate) fn shown(&self) -> &Url {
        &self.shown
    }

    /// Whether `webhook` is for this address, secret included.
    fn is_for(&self, webhook: &Webhook) -> bool {
        webhook.destination == self.full.expose_secret()
    }

    /// Whether `webhook` is for this address with another secret.
    fn is_stale(&self, webhook: &Webhook) -> bool {
        let same_page = |mut url: Url| {
            url.set_query(None);
            url.set_fragment(None);
            url == self.shown
        };
        !self.is_for(webhook) && Url::parse(&webhook.destination).is_ok_and(same_page)
    }
}

/// Reads which webhooks amoCRM has.
pub(crate) async fn check(
    client: &AmoCrmClient,
    destination: &Destination,
) -> Result<Subscription, ApiError> {
    Ok(assess(&client.webhooks().await?, destination))
}

/// Creates or repairs the webhook, and removes those for our address with another secret. Returns what was found,
/// and what there is now.
pub(crate) async fn repair(
    client: &AmoCrmClient,
    destination: &Destination,
) -> Result<(Subscription, Subscription), ApiError> {
    let webhooks = client.webhooks().await?;
    let found = assess(&webhooks, destination);
    if found.health != Health::Good {
        let settings = destination.settings();
        client.subscribe(destination.full.expose_secret(), &settings).await?;
    }
    // Last, so that there is no moment without any.
    for stale in webhooks.iter().filter(|webhook| destination.is_stale(webhook)) {
        client.unsubscribe(&stale.destination).await?;
    }
    Ok((found, check(client, destination).await?))
}

fn assess(webhooks: &[Webhook], destination: &Destination) -> Subscription {
    let stale = webhooks.iter().filter(|webhook| destination.is_stale(webhook)).count();
    let health = match webhooks.iter().find(|webhook| destination.is_for(webhook)) {
        None => Health::Missing,
        Some(webhook) if webhook.disabled => Health::Disabled,
        Some(webhook) => {
            let is_set = |setting: &&str| webhook.settings.iter().any(|set| set == setting);
            let mut missing = destination.settings();
            missing.retain(|setting| !is_set(setting));
            if missing.is_empty() { Health::Good } else { Health::Incomplete(missing) }
        }
    };
    Subscription { health, stale }
}

impl std::fmt::Debug for Destination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Destination").field(&self.shown.as_str()).finish()
    }
}
