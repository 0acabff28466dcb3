use std::sync::Arc;

use super::signals::stop_on_signal;
use crate::app::{self, Listeners};
use crate::clock::SystemClock;
use crate::config::{Config, Env};
use crate::{amocrm, erp, logging};

/// The service alone.
pub(super) async fn serve(env: &dyn Env) -> anyhow::Result<()> {
    keep_freed_memory();
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

/// Frees a block that is larger than all but the rarest bodies. glibc learns from the largest one how much freed memory it
/// keeps: twice its size. Else the memory of each large call would be given back to the system and taken again, which is a
/// fifth of the cost of such a call. No page of the block is touched, so it costs none.
fn keep_freed_memory() {
    drop(std::hint::black_box(Vec::<u8>::with_capacity(8 * 1024 * 1024)));
}
