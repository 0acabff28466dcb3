use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use functions::CreateDeal;
use inngest::{NewEvent, Settings};
use serde_json::Number;

use crate::clock::{SharedClock, SystemClock};
use crate::config::Env;
use crate::outbound::{Outbound, inngest_client};

#[derive(Debug, Args)]
pub(super) struct SendDeal {
    /// The deal's name
    #[arg(long)]
    name: String,
    /// The deal's amount
    #[arg(long)]
    amount: Option<Number>,
    /// The ERP entity, where it is not the configured one
    #[arg(long)]
    entity_id: Option<u64>,
    /// An idempotency key: sending it again within 24 hours creates no second deal
    #[arg(long)]
    id: Option<String>,
}

impl SendDeal {
    pub(super) async fn run(self, env: &dyn Env, out: &mut impl Write) -> anyhow::Result<()> {
        let settings = Settings::from_lookup(|name| env.get(name).ok().flatten())
            .map_err(|mistakes| anyhow::anyhow!("the configuration has mistakes\n{mistakes}"))?;
        let Self { name, amount, entity_id, id } = self;
        let deal = CreateDeal {
            deal_name: Some(name),
            amount,
            entity_id,
            fields: BTreeMap::new(),
            first_run_id: None,
        };
        let event = NewEvent::new(&deal).context("the deal cannot be written as JSON")?;
        let event = id.into_iter().fold(event, NewEvent::with_id);
        let clock: SharedClock = Arc::new(SystemClock);
        let client = inngest_client(settings, Outbound::new(), &clock);
        for id in client.send(&[event]).await? {
            writeln!(out, "{id}")?;
        }
        Ok(())
    }
}
