use std::io::Write;
use std::sync::Arc;

use anyhow::bail;
use clap::{Args, Subcommand};

use super::serve::load;
use crate::clock::SystemClock;
use crate::config::Env;
use crate::ledger::key;
use crate::store::{Resolution, Store};

/// The most deals that are shown.
const SHOWN: u32 = 200;

#[derive(Debug, Args)]
pub(super) struct Deals {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Lists the deals without a record that need a person, and why; what runs without an action
    List,
    /// Records what you found in the ERP about a deal of which nobody knows whether it has a record
    Resolve(Resolve),
}

#[derive(Debug, Args)]
struct Resolve {
    /// The amoCRM lead
    #[arg(long, required_unless_present = "run")]
    lead: Option<u64>,
    /// The run: of a `crm/create-deal`, or besides the lead with CRM_DEDUPE=event
    #[arg(long)]
    run: Option<String>,
    /// The record exists in the ERP, with this id
    #[arg(long, conflicts_with = "absent", required_unless_present = "absent")]
    erp_id: Option<u64>,
    /// There is no record: the next run may create it
    #[arg(long)]
    absent: bool,
}

impl Deals {
    pub(super) async fn run(self, env: &dyn Env, out: &mut impl Write) -> anyhow::Result<()> {
        let config = load(env)?;
        let store = Store::open(&config.database.url, Arc::new(SystemClock)).await?;
        let done = match self.action.unwrap_or(Action::List) {
            Action::List => list(&store, out).await,
            Action::Resolve(resolve) => resolve.run(&store, out).await,
        };
        store.close().await;
        done
    }
}

async fn list(store: &Store, out: &mut impl Write) -> anyhow::Result<()> {
    let deals = store.failed_deals(SHOWN).await?;
    for deal in &deals {
        let doubt = if deal.in_doubt { "in doubt" } else { "failed" };
        writeln!(out, "{}  {doubt}  {:.0}  run {}", deal.key, deal.at, deal.run_id)?;
        writeln!(out, "    {}", deal.reason)?;
    }
    if deals.is_empty() {
        writeln!(out, "no deal needs a person")?;
    }
    Ok(())
}

impl Resolve {
    async fn run(self, store: &Store, out: &mut impl Write) -> anyhow::Result<()> {
        let key = key(self.lead, self.run.as_deref());
        let found = match self.erp_id {
            Some(id) => Resolution::Exists(id.to_string()),
            None => Resolution::Absent,
        };
        if !store.resolve_deal(&key, &found).await? {
            bail!(
                "nothing was changed: {key} is not known, has its record, or is being sent at this moment; \
                 `prometei-flow deals list` shows the deals that need a person"
            );
        }
        match found {
            Resolution::Exists(id) => writeln!(out, "{key} has record {id}; it is not sent again")?,
            Resolution::Absent => writeln!(out, "{key} may be sent again; replay its run")?,
        }
        Ok(())
    }
}
