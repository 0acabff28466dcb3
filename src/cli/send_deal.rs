use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use functions::CreateDeal;
use inngest::{NewEvent, Settings};
use serde_json::{Number, json};

use super::progress::during;
use crate::clock::{SharedClock, SystemClock};
use crate::config::{ConfigError, ConfigErrors, Env};
use crate::outbound::{Outbound, inngest_client};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  prometei-flow send-deal --name 'Новая сделка' --amount 15000
  prometei-flow send-deal --name 'Заказ 1001' --id my-shop-order-1001 --json

It needs INNGEST_EVENT_KEY, or INNGEST_DEV for a dev server. contract/README.md shows how other programs send deals.")]
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
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl SendDeal {
    pub(super) async fn run(self, env: &dyn Env, out: &mut impl Write) -> anyhow::Result<()> {
        let settings =
            Settings::from_lookup(|name| env.get(name).ok().flatten()).map_err(|error| {
                ConfigErrors(error.mistakes.into_iter().map(ConfigError::from).collect())
            })?;
        let Self { name, amount, entity_id, id, json } = self;
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
        let ids = during("sending the deal", client.send(&[event])).await?;
        if json {
            return Ok(writeln!(out, "{}", json!({ "ids": ids }))?);
        }
        for id in ids {
            writeln!(out, "{id}")?;
        }
        Ok(())
    }
}
