use std::sync::Arc;

use anyhow::Context as _;

use super::signals::stop_on_signal;
use crate::app::{self, Listeners};
use crate::clock::SystemClock;
use crate::config::{Config, Env};
use crate::logging;

/// The service alone.
pub(super) async fn serve(env: &dyn Env) -> anyhow::Result<()> {
    let config = load(env)?;
    logging::start(&config.log);
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    if config.amocrm.is_none() {
        tracing::warn!("amoCRM is not configured: webhooks are stored, and their runs fail");
    }
    if config.erp.is_none() {
        tracing::warn!(
            "the ERP is not configured: runs fail; `prometei-flow dev` brings a fake one"
        );
    }
    let stop = stop_on_signal()?;
    let listeners = Listeners::bind(&config).await?;
    app::run(config, listeners, Arc::new(SystemClock), stop).await
}

pub(super) fn load(env: &dyn Env) -> anyhow::Result<Config> {
    Config::load(env).map_err(|errors| {
        anyhow::anyhow!(
            "the configuration has mistakes; .env.example explains each variable\n{errors}"
        )
    })
}

/// `127.0.0.1` for an address that means "all": something to put into a URL.
pub(super) fn reachable(address: std::net::SocketAddr) -> String {
    if address.ip().is_unspecified() {
        format!("127.0.0.1:{}", address.port())
    } else {
        address.to_string()
    }
}

/// Starts the service in the background.
pub(super) async fn spawn(
    config: Config,
    listeners: Listeners,
    stop: tokio_util::sync::CancellationToken,
) -> anyhow::Result<(String, tokio::task::JoinHandle<anyhow::Result<()>>)> {
    let address = listeners.public.local_addr().context("the listener has no address")?;
    let running = tokio::spawn(app::run(config, listeners, Arc::new(SystemClock), stop));
    Ok((format!("http://{}", reachable(address)), running))
}
