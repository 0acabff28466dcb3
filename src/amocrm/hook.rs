//! The webhook that amoCRM must have for this service: what is wrong with it, and putting it right.

use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use crate::amocrm::{AmoCrmClient, ApiError, SETTINGS, TokenStore, Webhook};

/// The path that amoCRM calls.
const PATH: &str = "/api/amocrm-webhook";

/// The address that amoCRM shall call. Its `Debug` hides the secret in it.
#[derive(Clone)]
pub struct Destination {
    /// Without the secret, for people to read.
    shown: Url,
    full: SecretString,
}

/// What amoCRM has for our address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// All as it should be.
    Good,
    /// There is no webhook for our address.
    Missing,
    /// amoCRM has switched it off, after too many answers other than 2xx.
    Disabled,
    /// It is there and on, but amoCRM does not call about these.
    Drift(Vec<&'static str>),
}

/// What amoCRM has for this service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// The webhook for our address.
    pub health: Health,
    /// Webhooks for our address with another secret, which are answered 401: left from before a change.
    pub stale: usize,
}

impl Subscription {
    /// Whether nothing needs to be done.
    pub fn is_good(&self) -> bool {
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
            Health::Drift(missing) => {
                write!(f, "the webhook does not tell of {}", missing.join(", "))?;
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
    pub fn new(origin: &Url, secret: Option<&SecretString>) -> Self {
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
        Self { shown, full: SecretString::from(String::from(full)) }
    }

    /// The address without its secret.
    pub fn shown(&self) -> &Url {
        &self.shown
    }

    /// Whether `webhook` is for this very address, secret included.
    fn is_of(&self, webhook: &Webhook) -> bool {
        webhook.destination == self.full.expose_secret()
    }

    /// Whether `webhook` calls the same page with another secret.
    fn was_of(&self, webhook: &Webhook) -> bool {
        let same_page = |mut url: Url| {
            url.set_query(None);
            url.set_fragment(None);
            url == self.shown
        };
        !self.is_of(webhook) && Url::parse(&webhook.destination).is_ok_and(same_page)
    }
}

/// Looks at what amoCRM has.
pub async fn check<S: TokenStore>(
    client: &AmoCrmClient<S>,
    destination: &Destination,
) -> Result<Subscription, ApiError> {
    Ok(judge(&client.webhooks().await?, destination))
}

/// Creates or repairs the webhook, and removes those for our address with another secret. Returns what was found,
/// and what there is now.
pub async fn repair<S: TokenStore>(
    client: &AmoCrmClient<S>,
    destination: &Destination,
) -> Result<(Subscription, Subscription), ApiError> {
    let webhooks = client.webhooks().await?;
    let found = judge(&webhooks, destination);
    if found.health != Health::Good {
        client.subscribe(destination.full.expose_secret()).await?;
    }
    // Last, so that there is no moment without any.
    for stale in webhooks.iter().filter(|webhook| destination.was_of(webhook)) {
        client.unsubscribe(&stale.destination).await?;
    }
    Ok((found, check(client, destination).await?))
}

fn judge(webhooks: &[Webhook], destination: &Destination) -> Subscription {
    let stale = webhooks.iter().filter(|webhook| destination.was_of(webhook)).count();
    let health = match webhooks.iter().find(|webhook| destination.is_of(webhook)) {
        None => Health::Missing,
        Some(webhook) if webhook.disabled => Health::Disabled,
        Some(webhook) => {
            let told = |setting: &&str| webhook.settings.iter().any(|told| told == setting);
            let missing: Vec<_> = SETTINGS.into_iter().filter(|setting| !told(setting)).collect();
            if missing.is_empty() { Health::Good } else { Health::Drift(missing) }
        }
    };
    Subscription { health, stale }
}

impl std::fmt::Debug for Destination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Destination").field(&self.shown.as_str()).finish()
    }
}
