use std::collections::HashMap;
use std::io::Write;

use clap::Args;
use serde::Serialize;

use super::SHOWN;
use super::item::Item;
use super::unreadable::Unreadable;
use crate::db::Db;
use crate::deals::{self, UnfinishedDeal};
use crate::inbox::Inbox;

#[derive(Debug, Args)]
pub(super) struct List {
    /// As JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    items: Vec<Item>,
    /// Whether that is all; only so many are shown.
    complete: bool,
    /// Webhooks of the last 30 days.
    unreadable_webhooks: i64,
    /// The newest of them.
    unreadable: Vec<Unreadable>,
}

impl List {
    pub(super) async fn run(
        self,
        inbox: &Inbox,
        store: &Db,
        out: &mut impl Write,
    ) -> anyhow::Result<()> {
        let report = Report::of(inbox, store).await?;
        if self.json {
            serde_json::to_writer_pretty(&mut *out, &report)?;
            return Ok(writeln!(out)?);
        }
        report.print(out)
    }
}

impl Report {
    async fn of(inbox: &Inbox, store: &Db) -> anyhow::Result<Self> {
        let (deals, differing, held, counts) = tokio::try_join!(
            deals::unfinished(store, SHOWN + 1),
            deals::differing(store, SHOWN + 1),
            inbox.held(SHOWN + 1),
            inbox.counts(),
        )?;
        let complete = deals.len() + differing.len() <= SHOWN as usize;
        let held: HashMap<_, _> = held.iter().map(|row| (row.id.as_str(), row)).collect();
        let now = store.clock().now();
        let item = |deal: UnfinishedDeal| {
            let held = deal.event_id.as_deref().and_then(|event| held.get(event)).copied();
            Item::of(deal, held, now)
        };
        let items = deals.into_iter().map(item).chain(differing.into_iter().map(Item::from));
        let items = items.take(SHOWN as usize).collect();
        let unreadable = Unreadable::of(inbox).await?;
        Ok(Self { items, complete, unreadable_webhooks: counts.unparsable, unreadable })
    }

    fn print(&self, out: &mut impl Write) -> anyhow::Result<()> {
        for item in &self.items {
            let run = item.run.as_ref().map(|id| format!("  run {id}")).unwrap_or_default();
            writeln!(out, "{}  {}  {}{run}", item.key, item.state, item.since)?;
            if let Some(reason) = &item.reason {
                writeln!(out, "    {reason}")?;
            }
            writeln!(out, "    -> {}", item.next)?;
        }
        if !self.complete {
            writeln!(out, "there are more; {SHOWN} are shown")?;
        }
        if self.items.is_empty() {
            writeln!(out, "every deal is done")?;
        }
        Unreadable::print(&self.unreadable, self.unreadable_webhooks, out)
    }
}
