use std::io::Write;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use secrecy::SecretString;
use url::Url;

use super::serve;
use crate::amocrm::hook;
use crate::amocrm::{AmoCrmAuth, AmoCrmClient, begin_consent, consent_link};
use crate::clock::SystemClock;
use crate::config::{Config, Env};
use crate::db::Db;
use crate::outbound::Outbound;

#[derive(Debug, Args)]
pub(super) struct AmoCrm {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Prints the link at which an administrator lets this service into amoCRM, or takes the code that amoCRM gave.
    Authorize {
        /// The authorization code from the integration's "Keys" tab; it lives for 20 minutes. `-` reads it from
        /// standard input, so that no list of processes shows it
        #[arg(long)]
        code: Option<String>,
    },
    /// Makes sure that amoCRM calls this service when a lead moves: creates or repairs the webhook.
    Subscribe {
        /// The public address of this service, where the configuration does not name it
        #[arg(long)]
        url: Option<Url>,
    },
}

impl AmoCrm {
    pub(super) async fn run(self, env: &dyn Env, out: &mut impl Write) -> anyhow::Result<()> {
        let config = serve::load(env)?;
        let Some(settings) = config.amocrm.clone() else {
            bail!(
                "amoCRM is not configured: set AMOCRM_SUBDOMAIN, AMOCRM_CLIENT_ID, AMOCRM_CLIENT_SECRET and \
                 AMOCRM_REDIRECT_URI, or AMOCRM_SUBDOMAIN and AMOCRM_ACCESS_TOKEN"
            );
        };
        let clock = Arc::new(SystemClock);
        let store = Db::open(&config.database.url, clock.clone()).await?;
        let client = AmoCrmClient::new(settings, store.clone(), Outbound::new(), clock);
        let done = match self.command {
            Command::Authorize { code } => authorize(&config, &client, &store, code, out).await,
            Command::Subscribe { url } => subscribe(&config, &client, url, out).await,
        };
        client.auth().wait_for_exchange().await;
        store.close().await;
        done
    }
}

async fn authorize(
    config: &Config,
    client: &AmoCrmClient,
    store: &Db,
    code: Option<String>,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let settings = client.settings();
    let AmoCrmAuth::OAuth(app) = &settings.auth else {
        bail!(
            "AMOCRM_ACCESS_TOKEN is set: a long-lived token needs no consent. When it ends, create a new one in the \
             integration's \"Keys\" tab"
        );
    };
    if let Some(mut code) = code {
        if code == "-" {
            code.clear();
            std::io::stdin().read_line(&mut code).context("no code on standard input")?;
        }
        let code = code.trim();
        let end = client.auth().redeem_code(SecretString::from(code)).await?;
        writeln!(out, "amoCRM is connected; the first access token lives until {end:.0}.")?;
        match client.account().await {
            Ok(account) => writeln!(
                out,
                "The account is {} (AMOCRM_ACCOUNT_ID={}).",
                account.name.or(account.subdomain).unwrap_or_default(),
                account.id
            )?,
            Err(error) => writeln!(out, "warning: the account could not be read: {error}")?,
        }
        writeln!(out, "Next: prometei-flow amocrm subscribe")?;
        return Ok(());
    }
    let state = begin_consent(store, store.time()).await?;
    let link = consent_link(&settings.base_url, &app.client_id, &state);
    writeln!(
        out,
        "Open this link as an administrator of the amoCRM account, within 20 minutes:\n\n  {link}\n"
    )?;
    writeln!(out, "The running service takes the answer at {}.", app.redirect_uri)?;
    if let Some(origin) = config.public_origin() {
        writeln!(out, "{origin}oauth/start makes such a link whenever it is opened.")?;
    }
    writeln!(
        out,
        "If amoCRM cannot reach the service, copy the code from the integration's \"Keys\" tab instead:\n\
         prometei-flow amocrm authorize --code CODE"
    )?;
    Ok(())
}

async fn subscribe(
    config: &Config,
    client: &AmoCrmClient,
    url: Option<Url>,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let origin = url.or_else(|| config.public_origin()).context(
        "the public address of this service is not known: give --url, or set INNGEST_SERVE_ORIGIN",
    )?;
    if origin.scheme() != "https" && !client.settings().base_url.is_local() {
        bail!("{origin} is not https: the webhook's secret could be read on the way");
    }
    let destination = config.webhook_at(&origin);
    let (found, now) = hook::repair(client, &destination).await?;
    writeln!(out, "{}: found: {found}", destination.shown())?;
    if !now.is_good() {
        bail!(
            "still not right: {now}. Open the integration's webhooks in amoCRM, switch the one for {} on and save",
            destination.shown()
        );
    }
    writeln!(out, "{}: now: {now}", destination.shown())?;
    Ok(())
}
