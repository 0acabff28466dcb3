//! The webhook that amoCRM must have for this service: what is wrong with it, and its repair.

use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::api::{AmoCrmClient, ApiError, Webhook};

/// The path that amoCRM calls.
const PATH: &str = "/api/amocrm-webhook";

/// What happens to leads and makes a record of one, or matters to the record that there is: amoCRM is asked to call about
/// this, in the words of its API, and about nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Events(Vec<&'static str>);

impl Events {
    /// `by_stage`: a lead makes a record when it enters one of the stages of `AMOCRM_TRIGGER_STATUSES`. `by_event`: each
    /// event makes one.
    pub(crate) fn new(by_stage: bool, by_event: bool) -> Self {
        let mut events = vec!["add_lead", "restore_lead"];
        // Without stages the record is made when the lead is created, and no move brings another one.
        if by_stage || by_event {
            events.push("status_lead");
        }
        Self(events)
    }

    /// The same, and what happens to a lead that has its record, where that is wanted.
    #[must_use]
    pub(crate) fn and_changes(mut self, wanted: bool) -> Self {
        self.0.extend(["update_lead", "delete_lead"].iter().filter(|_| wanted));
        self
    }

    /// What `webhook` is not called about.
    fn missing_in(&self, webhook: &Webhook) -> Vec<&'static str> {
        let is_set = |event: &&str| webhook.settings.iter().any(|set| set == event);
        self.0.iter().copied().filter(|event| !is_set(event)).collect()
    }
}

/// The address that amoCRM must call, and about what. Its `Debug` hides the secret in it.
#[derive(Clone)]
pub(crate) struct Destination {
    /// Without the secret, for people to read.
    shown: Url,
    full: SecretString,
    events: Events,
}

/// The state of the webhook for our address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Health {
    /// It is there, on, and called about all that matters.
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
    /// The address below `origin`, or `origin` itself where it has a path, with `secret`, called about `events`.
    pub(crate) fn new(origin: &Url, secret: Option<&SecretString>, events: Events) -> Self {
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
        Self { shown, full: SecretString::from(String::from(full)), events }
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
        client.subscribe(destination.full.expose_secret(), &destination.events.0).await?;
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
        Some(webhook) => match destination.events.missing_in(webhook) {
            missing if missing.is_empty() => Health::Good,
            missing => Health::Incomplete(missing),
        },
    };
    Subscription { health, stale }
}

impl std::fmt::Debug for Destination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Destination").field(&self.shown.as_str()).finish()
    }
}
