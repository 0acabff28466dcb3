mod authorize;
mod subscribe;

use std::io::Write;
use std::sync::Arc;

use anyhow::bail;
use clap::{Args, Subcommand};

use self::authorize::Authorize;
use self::subscribe::Subscribe;
use crate::amocrm::{AmoCrmClient, SET};
use crate::clock::SystemClock;
use crate::config::{Config, Env};
use crate::db::Db;
use crate::outbound::Outbound;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  prometei-flow amocrm authorize
  prometei-flow amocrm subscribe

Both need AMOCRM_SUBDOMAIN and the variables of one way in: AMOCRM_CLIENT_ID, AMOCRM_CLIENT_SECRET and
AMOCRM_REDIRECT_URI, or AMOCRM_ACCESS_TOKEN. docs/operations.md compares the two.")]
pub(super) struct AmoCrm {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Prints the link at which an administrator lets this service into amoCRM, or takes the code that amoCRM gave.
    Authorize(Authorize),
    /// Makes sure that amoCRM calls this service when a lead moves: creates or repairs the webhook.
    Subscribe(Subscribe),
}

impl AmoCrm {
    pub(super) async fn run(self, env: &dyn Env, out: &mut impl Write) -> anyhow::Result<()> {
        let config = Config::load(env)?;
        let Some(settings) = config.amocrm.clone() else {
            bail!("amoCRM is not configured: {SET}");
        };
        let clock = Arc::new(SystemClock);
        let store = Db::open(&config.database.url, clock.clone()).await?;
        let client = AmoCrmClient::new(settings, store.clone(), Outbound::new(), clock);
        let done = match self.command {
            Command::Authorize(authorize) => authorize.run(&config, &client, &store, out).await,
            Command::Subscribe(subscribe) => subscribe.run(&config, &client, out).await,
        };
        client.auth().wait_for_exchange().await;
        store.close().await;
        done
    }
}
