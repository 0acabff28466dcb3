use std::io::Write;

use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::json;
use url::Url;

use crate::amocrm::AmoCrmClient;
use crate::amocrm::hook;
use crate::cli::progress::during;
use crate::config::Config;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  prometei-flow amocrm subscribe
  prometei-flow amocrm subscribe --url https://deals.example.org --json

The webhook carries AMOCRM_WEBHOOK_SECRET. Without --url its host is that of INNGEST_SERVE_ORIGIN, or of
AMOCRM_REDIRECT_URI.")]
pub(super) struct Subscribe {
    /// The public address of this service, where the configuration does not name it
    #[arg(long)]
    url: Option<Url>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl Subscribe {
    pub(super) async fn run(
        self,
        config: &Config,
        client: &AmoCrmClient,
        out: &mut impl Write,
    ) -> anyhow::Result<()> {
        let origin = self.url.or_else(|| config.public_origin()).context(
            "the public address of this service is not known: give --url, or set INNGEST_SERVE_ORIGIN",
        )?;
        if origin.scheme() != "https" && !client.settings().base_url.is_local() {
            bail!("{origin} is not https: the webhook's secret could be read on the way");
        }
        let destination = config.webhook_at(&origin);
        let repair = hook::repair(client, &destination);
        let (found, now) = during("looking at amoCRM's webhooks", repair).await?;
        let shown = destination.shown().to_string();
        if self.json {
            let (found, now) = (found.to_string(), now.to_string());
            writeln!(out, "{}", json!({ "url": shown, "found": found, "now": now }))?;
        } else {
            writeln!(out, "{shown}: found: {found}")?;
        }
        if !now.is_good() {
            bail!(
                "still not right: {now}. Open the integration's webhooks in amoCRM, switch the one for {shown} on and save"
            );
        }
        if !self.json {
            writeln!(out, "{shown}: now: {now}")?;
        }
        Ok(())
    }
}
