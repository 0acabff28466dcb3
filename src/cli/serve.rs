use std::sync::Arc;

use super::signals::stop_on_signal;
use crate::app::{self, Listeners};
use crate::clock::SystemClock;
use crate::config::{Config, Env};
use crate::{amocrm, erp, logging};

/// The service alone.
pub(super) async fn serve(env: &dyn Env) -> anyhow::Result<()> {
    let config = Config::load(env)?;
    logging::start(&config.log);
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    if config.amocrm.is_none() {
        tracing::warn!("{}", amocrm::missing());
    }
    if config.erp.is_none() {
        tracing::warn!("{}", erp::missing());
    }
    let stop = stop_on_signal()?;
    let listeners = Listeners::bind(&config).await?;
    app::run(config, listeners, Arc::new(SystemClock), stop).await
}
