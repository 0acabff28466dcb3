//! Checks everything that can be wrong before a deal is lost.
//!
//! One file for each counterpart. All are checked at the same time, each within a limit, so that a slow one does not hide
//! what was found about the others.

mod amocrm;
mod database;
mod erp;
mod finding;
mod inngest;
mod mapped;
mod reconcile;
#[cfg(test)]
mod tests;
mod wire;

use std::time::Duration;

use secrecy::SecretString;

pub(crate) use finding::{Finding, Status};

use crate::amocrm::{AmoCrmAuth, AmoCrmClient};
use crate::clock::SharedClock;
use crate::config::{Config, Env};
use crate::db::Db;
use crate::deals::OnChange;
use crate::erp::ErpClient;
use crate::outbound::{Outbound, Redactor};
use crate::reconcile::Progress;

/// How long one counterpart may take. Together with what must not be cut short it is under 15 s.
const LIMIT: Duration = Duration::from_secs(12);

/// Checks everything that `env` configures. The findings show no secret.
pub(crate) async fn examine(env: &dyn Env, clock: SharedClock) -> Vec<Finding> {
    examine_within(LIMIT, env, clock).await
}

/// The same with another limit for each counterpart.
async fn examine_within(limit: Duration, env: &dyn Env, clock: SharedClock) -> Vec<Finding> {
    let config = match Config::load(env) {
        Ok(config) => config,
        Err(errors) => {
            let mistakes = errors.0.iter().map(|mistake| {
                let fix =
                    format!("correct {}; docs/configuration.md explains it", mistake.variable);
                Finding::error("variables", mistake.to_string(), fix)
            });
            return mistakes.collect();
        }
    };
    let mut findings: Vec<Finding> = config
        .warnings
        .iter()
        .map(|warning| Finding::warning("variables", warning, "see docs/configuration.md"))
        .collect();
    if findings.is_empty() {
        findings.push(Finding::ok("variables", "all of them can be read and fit together"));
    }
    findings.extend(examine_world(&config, clock, limit).await);
    let redactor = Redactor::new(&secrets(&config));
    for finding in &mut findings {
        finding.message = redactor.clean(&finding.message);
        finding.fix = finding.fix.take().map(|fix| redactor.clean(&fix));
    }
    findings
}

async fn examine_world(config: &Config, clock: SharedClock, limit: Duration) -> Vec<Finding> {
    let outbound = Outbound::new();
    let store = Db::open(&config.database.url, clock.clone()).await;
    let client = config.amocrm.clone().zip(store.as_ref().ok()).map(|(settings, store)| {
        AmoCrmClient::new(settings, store.clone(), outbound.clone(), clock.clone())
    });
    let reconciles = config.webhook.filter.trigger_statuses.is_some();
    let progress = Progress::new(store.as_ref().ok().filter(|_| reconciles).cloned());
    let destination = config.webhook_destination();
    let erp = config
        .erp
        .clone()
        .map(|settings| ErpClient::new(settings, outbound.clone(), clock.clone()));
    let (inngest, wire, amocrm, erp, database, reconcile) = tokio::join!(
        in_time(limit, "inngest", inngest::examine(&config.inngest, &outbound, &clock)),
        in_time(limit, "network", wire::examine(config, &outbound, &clock)),
        in_time(limit, "amocrm", async {
            match (&client, &config.amocrm) {
                (Some(client), _) => {
                    amocrm::examine(client, destination.as_ref(), reconciles, &clock).await
                }
                (None, Some(_)) => Vec::new(),
                (None, None) => vec![amocrm::missing()],
            }
        }),
        in_time(limit, "erp", async {
            match &erp {
                Some(erp) => {
                    let updates = config.rules.on_change == OnChange::Update;
                    erp::examine(erp, updates).await
                }
                None => vec![erp::missing()],
            }
        }),
        in_time(limit, "database", database::examine(&store)),
        in_time(limit, "reconciliation", reconcile::examine(&progress, config.rules.dedupe)),
    );
    if let Some(client) = client {
        // A token that is being exchanged must be stored before the process ends, whatever the limit says.
        client.auth().wait_for_exchange().await;
    }
    if let Ok(store) = store {
        store.close().await;
    }
    [inngest, wire, amocrm, erp, database, reconcile].concat()
}

async fn in_time(
    limit: Duration,
    check: &'static str,
    examining: impl Future<Output = Vec<Finding>>,
) -> Vec<Finding> {
    tokio::time::timeout(limit, examining).await.unwrap_or_else(|_| {
        let message = format!("could not be checked within {limit:?}");
        vec![Finding::error(
            check,
            message,
            "check the network between this machine and the other side, then try again",
        )]
    })
}

fn secrets(config: &Config) -> Vec<SecretString> {
    let mut secrets = config.webhook.secrets.clone();
    secrets.extend(config.erp.iter().flat_map(|erp| [erp.key.clone(), erp.password.clone()]));
    secrets.extend(config.inngest.event_key.clone().map(SecretString::from));
    match config.amocrm.as_ref().map(|amocrm| &amocrm.auth) {
        Some(AmoCrmAuth::OAuth(app)) => {
            secrets.push(app.client_secret.clone());
            secrets.extend(app.first_refresh_token.clone());
        }
        Some(AmoCrmAuth::LongLived { token }) => secrets.push(token.clone()),
        None => {}
    }
    secrets
}
