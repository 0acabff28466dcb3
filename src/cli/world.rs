//! The service in a world of the sandbox: for `demo`, `dev` and the tests.

use std::sync::Arc;

use sandbox::{Launch, Variables};
use tokio::task::JoinHandle;

use crate::app::{self, Listeners};
use crate::clock::{SharedClock, SystemClock};
use crate::config::{Config, ConfigError, Env, EnvMap};

/// The lead of the original's real webhook.
pub(super) const LEAD_ID: u64 = 45_721_053;
pub(super) const LEAD_NAME: &str = "Ремонт офиса, ул. Ленина 5";
pub(super) const LEAD_PRICE: i64 = 46_333;

/// A service that runs until its world ends.
pub type Running = JoinHandle<anyhow::Result<()>>;

/// Starts the service in this process. It reads nothing but what the world gives it.
pub async fn start(launch: Launch) -> anyhow::Result<Running> {
    start_over(&EnvMap::default(), launch).await
}

/// The same with another environment behind what the world gives.
pub(super) async fn start_over(behind: &dyn Env, launch: Launch) -> anyhow::Result<Running> {
    let config = Config::load(&Overlay { front: env_map(&launch.variables), behind })?;
    let listeners = Listeners { public: launch.public, admin: launch.admin };
    let clock: SharedClock = match launch.clock {
        Some(clock) => clock,
        None => Arc::new(SystemClock),
    };
    Ok(tokio::spawn(app::run(config, listeners, clock, launch.stop)))
}

/// Variables in front of others.
pub(super) struct Overlay<'e> {
    pub(super) front: EnvMap,
    pub(super) behind: &'e dyn Env,
}

impl Env for Overlay<'_> {
    fn raw(&self, name: &str) -> Result<Option<String>, ConfigError> {
        match self.front.raw(name)? {
            Some(value) => Ok(Some(value)),
            None => self.behind.raw(name),
        }
    }
}

fn env_map(variables: &Variables) -> EnvMap {
    variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}
