use std::io::Write;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use sandbox::{World, webhook_of};
use tokio::net::TcpListener;
use tokio::sync::broadcast::error::RecvError;

use super::world::{self, LEAD_ID, LEAD_NAME, LEAD_PRICE, Overlay};
use super::{signals, watch};
use crate::app::Listeners;
use crate::config::{Config, Env, EnvMap};
use crate::logging;

/// Where deals are noted that a fake ERP has. In the service's own database they would count as done, and the real ERP would
/// never have a record of them.
const DATABASE_OF_FAKE_ERP: &str = "sqlite://prometei-flow-dev.db";

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  prometei-flow dev
  PORT=4000 ADMIN_ADDR=127.0.0.1:4001 prometei-flow dev --dev-server-port 4288

A real amoCRM takes the place of the fake one where the AMOCRM_* variables are set, a real ERP where the CRM_API_* group
is. HOST, PORT, ADMIN_ADDR and DATABASE_URL hold too; those of INNGEST_* do not matter. A deal that is in the fake ERP
counts as done: without DATABASE_URL it is noted in prometei-flow-dev.db, which no other command reads by itself.")]
pub(super) struct Dev {
    /// The port of the embedded Inngest dev server
    #[arg(long, default_value_t = 8288)]
    dev_server_port: u16,
    /// Seconds before a failed step is tried again; in production 15 and more
    #[arg(long, default_value_t = 2)]
    retry_interval: u64,
}

impl Dev {
    /// Development mode whatever the environment says: the embedded server signs nothing.
    pub(super) async fn run(self, env: &dyn Env, out: &mut impl Write) -> anyhow::Result<()> {
        let port = self.dev_server_port;
        let inngest = format!("http://127.0.0.1:{port}");
        let variables = [
            ("INNGEST_DEV", inngest.as_str()),
            ("INNGEST_BASE_URL", &inngest),
            ("INNGEST_API_BASE_URL", &inngest),
            ("INNGEST_EVENT_API_BASE_URL", &inngest),
        ];
        let config = Config::load(&Overlay { front: EnvMap::from(variables), behind: env })?;
        logging::start(&config.log);

        // Only what was set for this on purpose takes the deals of a fake ERP.
        let own_database = (config.erp.is_none() && env.get("DATABASE_URL")?.is_none())
            .then_some(DATABASE_OF_FAKE_ERP);

        let listeners = Listeners::bind(&config).await?;
        let dev_server = TcpListener::bind(("127.0.0.1", port)).await.with_context(|| {
            format!(
                "cannot listen on {inngest}; is another dev server running? See --dev-server-port"
            )
        })?;
        let mut world = World::new()
            .lead(LEAD_ID, LEAD_NAME, LEAD_PRICE)
            .listeners(listeners.public, listeners.admin)
            .inngest_listener(dev_server)
            .inngest(|server| server.retry_interval(Duration::from_secs(self.retry_interval)))
            .stopped_by(signals::stop_on_signal()?)
            // An empty one leaves it to the developer's environment.
            .variable("DATABASE_URL", own_database.unwrap_or_default());
        for (name, value) in variables {
            world = world.variable(name, value);
        }
        if config.amocrm.is_some() {
            world = world.without_amocrm();
        }
        if config.erp.is_some() {
            world = world.without_erp();
        }
        let mut world = world.start(async |launch| world::start_over(env, launch).await).await?;
        world.registered().await?;

        let mut replica = world.replicas.pop().context("no service was started")?;
        let (service, admin) = (&world.url, replica.admin);
        writeln!(out, "prometei-flow at {service} (admin: http://{admin}), with")?;
        writeln!(out, "  an Inngest-compatible dev server at {}", world.inngest.url())?;
        if config.amocrm.is_none() {
            let url = world.amocrm.url();
            writeln!(out, "  a fake amoCRM at {url}, with the lead {LEAD_ID}")?;
        }
        if config.erp.is_none() {
            writeln!(out, "  a fake ERP at {}", world.erp.url())?;
        }
        if let Some(database) = own_database {
            writeln!(out, "  a database of its own: DATABASE_URL={database}")?;
        }
        let secret = config.webhook.secrets.first().map(|_| "?secret=<AMOCRM_WEBHOOK_SECRET>");
        let secret = secret.unwrap_or_default();
        let webhook = webhook_of(LEAD_ID);
        writeln!(
            out,
            "\nA lead moves in amoCRM:\n  curl '{service}/api/amocrm-webhook{secret}' -d '{webhook}'"
        )?;
        writeln!(
            out,
            "Another app wants a deal:\n  curl {inngest}/e/dev -d '{{\"name\":\"crm/create-deal\",\"data\":{{\"dealName\":\"Новая сделка\",\"amount\":15000}}}}'\nCtrl-C stops.\n"
        )?;
        loop {
            tokio::select! {
                ended = &mut replica.service => {
                    world.stop.cancel();
                    world.inngest.shutdown().await;
                    return ended.context("the service crashed")?;
                }
                observation = world.observations.recv() => match observation {
                    Ok(observation) => if let Some(line) = watch::line(&observation) {
                        writeln!(out, "{line}")?;
                    },
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return replica.service.await.context("the service crashed")?,
                },
            }
        }
    }
}
