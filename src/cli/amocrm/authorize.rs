use std::io::Write;

use anyhow::{Context as _, bail};
use clap::Args;
use secrecy::SecretString;
use serde_json::json;

use crate::amocrm::{AmoCrmAuth, AmoCrmClient, OAuthApp, begin_consent, consent_link};
use crate::cli::progress::during;
use crate::config::Config;
use crate::db::Db;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  prometei-flow amocrm authorize
  prometei-flow amocrm authorize --code -
  prometei-flow amocrm authorize --json")]
pub(super) struct Authorize {
    /// The authorization code from the integration's "Keys" tab; it lives for 20 minutes. `-` reads it from
    /// standard input, so that no list of processes shows it
    #[arg(long)]
    code: Option<String>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl Authorize {
    pub(super) async fn run(
        self,
        config: &Config,
        client: &AmoCrmClient,
        store: &Db,
        out: &mut impl Write,
    ) -> anyhow::Result<()> {
        let AmoCrmAuth::OAuth(app) = &client.settings().auth else {
            bail!(
                "AMOCRM_ACCESS_TOKEN is set: a long-lived token needs no consent. When it ends, create a new one in the \
                 integration's \"Keys\" tab"
            );
        };
        match self.code {
            Some(code) => redeem(code, self.json, client, out).await,
            None => self.link(config, client, app, store, out).await,
        }
    }

    async fn link(
        self,
        config: &Config,
        client: &AmoCrmClient,
        app: &OAuthApp,
        store: &Db,
        out: &mut impl Write,
    ) -> anyhow::Result<()> {
        let state = begin_consent(store, store.time()).await?;
        let link = consent_link(&client.settings().base_url, &app.client_id, &state);
        if self.json {
            let answer = json!({ "link": link, "redirect_uri": app.redirect_uri });
            return Ok(writeln!(out, "{answer}")?);
        }
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
}

async fn redeem(
    mut code: String,
    json: bool,
    client: &AmoCrmClient,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    if code == "-" {
        code.clear();
        std::io::stdin().read_line(&mut code).context("no code on standard input")?;
    }
    let code = SecretString::from(code.trim());
    let end = during("exchanging the code for tokens", client.auth().redeem_code(code)).await?;
    let account = during("reading the account", client.account()).await;
    if json {
        let (id, why) = match &account {
            Ok(account) => (Some(account.id), None),
            Err(error) => (None, Some(error.to_string())),
        };
        let end = end.to_string();
        let answer = json!({ "access_token_expires_at": end, "account_id": id, "warning": why });
        return Ok(writeln!(out, "{answer}")?);
    }
    writeln!(out, "amoCRM is connected; the first access token lives until {end:.0}.")?;
    match account {
        Ok(account) => writeln!(
            out,
            "The account is {} (AMOCRM_ACCOUNT_ID={}).",
            account.name.or(account.subdomain).unwrap_or_default(),
            account.id
        )?,
        Err(error) => writeln!(out, "warning: the account could not be read: {error}")?,
    }
    writeln!(out, "Next: prometei-flow amocrm subscribe")?;
    Ok(())
}
