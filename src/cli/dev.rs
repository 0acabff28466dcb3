use std::io::Write;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use inngest::Mode;
use inngest_dev_server::DevServer;
use tokio::net::TcpListener;

use super::world::{self, LEAD_ID, Overlay, WEBHOOK};
use super::{serve, signals, watch};
use crate::app::Listeners;
use crate::config::{Config, Env};
use crate::logging;

#[derive(Debug, Args)]
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
        let mut variables = vec![("INNGEST_DEV", format!("http://127.0.0.1:{port}"))];
        for other in ["INNGEST_BASE_URL", "INNGEST_API_BASE_URL", "INNGEST_EVENT_API_BASE_URL"] {
            variables.push((other, format!("http://127.0.0.1:{port}")));
        }
        let configured = serve::load(&Overlay { front: world::env_map(&variables), behind: env })?;
        logging::start(&configured.log);
        let stop = signals::stop_on_signal()?;

        let mut fakes = Vec::new();
        if configured.amocrm.is_none() {
            let amocrm = world::fake_amocrm(&stop).await?;
            variables.extend(world::amocrm_variables(&amocrm));
            fakes.push(format!("a fake amoCRM at {}, with the lead {LEAD_ID}", amocrm.url()));
        }
        if configured.erp.is_none() {
            let erp = world::fake_erp(&stop).await?;
            variables.extend(world::erp_variables(&erp));
            fakes.push(format!("a fake ERP at {}", erp.url()));
        }
        let config = Config::load(&Overlay { front: world::env_map(&variables), behind: env })?;
        debug_assert_eq!(config.inngest.mode, Mode::Dev);

        let listeners = Listeners::bind(&config).await?;
        let address = serve::reachable(listeners.public.local_addr()?);
        let admin = serve::reachable(listeners.admin.local_addr()?);
        let dev_server = TcpListener::bind(("127.0.0.1", port)).await.with_context(|| {
            format!("cannot listen on 127.0.0.1:{port}; is another dev server running? See --dev-server-port")
        })?;
        let inngest = DevServer::builder()
            .app(format!("http://{address}/api/inngest").parse()?)
            .retry_interval(Duration::from_secs(self.retry_interval))
            .serve(dev_server, stop.clone())?;
        let mut observations = inngest.subscribe();
        let secret = config.webhook.secrets.first().map(|_| "?secret=<AMOCRM_WEBHOOK_SECRET>");
        let (service, running) = serve::spawn(config, listeners, stop.clone()).await?;

        inngest.sync_now().await.context("the service could not register its functions")?;
        writeln!(out, "prometei-flow at {service} (admin: http://{admin}), with")?;
        writeln!(out, "  an Inngest-compatible dev server at {}", inngest.url())?;
        for fake in fakes {
            writeln!(out, "  {fake}")?;
        }
        let secret = secret.unwrap_or_default();
        writeln!(
            out,
            "\nA lead moves in amoCRM:\n  curl '{service}/api/amocrm-webhook{secret}' -d '{WEBHOOK}'"
        )?;
        writeln!(
            out,
            "Another app wants a deal:\n  curl http://127.0.0.1:{port}/e/dev -d '{{\"name\":\"crm/create-deal\",\"data\":{{\"dealName\":\"Новая сделка\",\"amount\":15000}}}}'\nCtrl-C stops.\n"
        )?;
        let mut running = running;
        loop {
            tokio::select! {
                ended = &mut running => {
                    stop.cancel();
                    inngest.shutdown().await;
                    return ended.context("the service crashed")?;
                }
                observation = observations.recv() => match observation {
                    Ok(observation) => if let Some(line) = watch::line(&observation) {
                        writeln!(out, "{line}")?;
                    },
                    Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => {}
                    Err(tokio::sync::broadcast::error::RecvError::Closed) => {
                        running.await.context("the service crashed")??;
                        return Ok(());
                    }
                },
            }
        }
    }
}
