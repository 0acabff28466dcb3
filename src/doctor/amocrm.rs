//! amoCRM: the token, the account, and the webhook.

use super::Finding;
use crate::amocrm::hook::{self, Destination, Health};
use crate::amocrm::watch::token_ends;
use crate::amocrm::{self, AmoCrmClient, ApiError};
use crate::clock::SharedClock;
use crate::trouble::Trouble;

pub(super) fn missing() -> Finding {
    let Trouble { problem, remedy } = amocrm::missing();
    Finding::warning("amocrm token", problem, remedy)
}

pub(super) async fn examine(
    client: &AmoCrmClient,
    destination: Option<&Destination>,
    reconciles: bool,
    clock: &SharedClock,
) -> Vec<Finding> {
    let account = match client.account().await {
        Ok(account) => account,
        Err(error) => return vec![Finding::of("amocrm token", error.trouble())],
    };
    let mut findings = vec![Finding::ok("amocrm token", "amoCRM accepts it")];
    if let Some(end) = client.auth().long_lived_until() {
        let days = end.duration_since(clock.now()).as_hours().div_euclid(24);
        let fix = "create the next one before that";
        match days {
            ..1 => findings[0] = Finding::error("amocrm token", token_ends(end, days), fix),
            1..30 => findings[0] = Finding::warning("amocrm token", token_ends(end, days), fix),
            _ => {}
        }
    }
    let name = account.name.or(account.subdomain).unwrap_or_default();
    findings.push(match client.settings().account_id {
        Some(id) if id != account.id => Finding::error(
            "amocrm account",
            format!("the token opens account {}, and AMOCRM_ACCOUNT_ID says {id}", account.id),
            "correct AMOCRM_ACCOUNT_ID, or AMOCRM_SUBDOMAIN and the token: every lead would be refused",
        ),
        Some(id) => Finding::ok("amocrm account", format!("{name}, {id}")),
        None => Finding::ok("amocrm account", format!("{name}, AMOCRM_ACCOUNT_ID={}", account.id)),
    });
    findings.push(match destination {
        Some(destination) => webhook(client, destination, reconciles).await,
        None => Finding::warning(
            "amocrm webhook",
            "the public https address of this service is not known, so its webhook cannot be looked for",
            "set INNGEST_SERVE_ORIGIN to it",
        ),
    });
    findings
}

async fn webhook(client: &AmoCrmClient, destination: &Destination, reconciles: bool) -> Finding {
    let check = "amocrm webhook";
    let repair = "run `prometei-flow amocrm subscribe`";
    let found = match hook::check(client, destination).await {
        Ok(found) => found,
        Err(error @ ApiError::Forbidden(_)) => {
            let fix = "use the token of an administrator, and an amoCRM plan with webhooks over the API; or look into \
                       amoCRM's settings by hand";
            return Finding::warning(check, error.to_string(), fix);
        }
        Err(error) => return Finding::of(check, error.trouble()),
    };
    let message = format!("{}: {found}", destination.shown());
    match found.health {
        Health::Good if found.stale == 0 => Finding::ok(check, message),
        Health::Good => Finding::warning(check, message, format!("{repair}, which removes them")),
        // A pipeline's hook is in no list, so it may be in use; reconciliation covers what it loses.
        Health::Missing if reconciles => Finding::warning(
            check,
            message,
            format!(
                "{repair}; a digital pipeline's own hook does as well, reconciliation watches over it"
            ),
        ),
        Health::Missing => Finding::error(
            check,
            message,
            format!(
                "{repair}; where a digital pipeline's hook calls this service instead, set AMOCRM_TRIGGER_STATUSES, so \
                 that reconciliation finds what it loses"
            ),
        ),
        Health::Disabled => Finding::error(
            check,
            message,
            format!("{repair}; if it stays off, switch it on in amoCRM's settings and save"),
        ),
        Health::Incomplete(_) => Finding::error(check, message, repair),
    }
}
