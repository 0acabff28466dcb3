//! Which webhooks are accepted.

use functions::webhook::LeadFilter;
use inngest::Mode;
use secrecy::{ExposeSecret as _, SecretString};

use super::reader::{Reader, id};

/// A shorter secret could be guessed.
const LEAST_SECRET: usize = 16;

/// Which webhooks are accepted.
#[derive(Debug, Clone)]
pub(crate) struct WebhookSettings {
    /// One of these must be in the webhook's URL, as `?secret=`. Empty in development mode only.
    pub secrets: Vec<SecretString>,
    /// Which of their leads make a deal.
    pub filter: LeadFilter,
}

pub(super) fn read(reader: &mut Reader<'_>, mode: Mode) -> WebhookSettings {
    let given = reader.secret("AMOCRM_WEBHOOK_SECRET");
    let secrets = given.as_ref().map(|given| split(given.expose_secret())).unwrap_or_default();
    let long_enough =
        |secret: &SecretString| secret.expose_secret().chars().count() >= LEAST_SECRET;
    if secrets.is_empty() && given.is_some() {
        reader.error("AMOCRM_WEBHOOK_SECRET", "holds no secret; write one, or two during a change");
    } else if secrets.len() > 2 {
        reader.error(
            "AMOCRM_WEBHOOK_SECRET",
            "has more than two values; keep the old and the new one",
        );
    } else if mode == Mode::Cloud && !secrets.iter().all(long_enough) {
        let problem =
            format!("is too short; make one of at least {LEAST_SECRET} random letters and digits");
        reader.error("AMOCRM_WEBHOOK_SECRET", problem);
    }
    if mode == Mode::Cloud {
        let why = "without it anyone could send webhooks: make one of at least 16 random letters and \
                   digits, and give amoCRM the URL with ?secret=<it>";
        reader.required("AMOCRM_WEBHOOK_SECRET", given, why);
    }
    let trigger_statuses = reader.parsed("AMOCRM_TRIGGER_STATUSES", stages);
    let account_id = reader.parsed("AMOCRM_ACCOUNT_ID", id);
    WebhookSettings { secrets, filter: LeadFilter { account_id, trigger_statuses } }
}

fn split(secrets: &str) -> Vec<SecretString> {
    let secrets = secrets.split(',').map(str::trim).filter(|secret| !secret.is_empty());
    secrets.map(SecretString::from).collect()
}

fn stages(text: &str) -> Result<Vec<(u64, u64)>, String> {
    let stages = text.split(',').map(str::trim).filter(|stage| !stage.is_empty()).map(|stage| {
        let pair = stage.split_once(':');
        pair.and_then(|(pipeline, status)| {
            Some((id(pipeline.trim()).ok()?, id(status.trim()).ok()?))
        })
        .ok_or_else(|| {
            format!("{stage:?} is no stage; write pipeline:status, several of them with commas")
        })
    });
    let stages: Vec<_> = stages.collect::<Result<_, _>>()?;
    if stages.is_empty() {
        return Err("names no stage; write pipeline:status, or remove it".into());
    }
    Ok(stages)
}
