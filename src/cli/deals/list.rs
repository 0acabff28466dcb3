use std::io::Write;

use clap::Args;
use serde::Serialize;

use super::SHOWN;
use super::unreadable::Unreadable;
use crate::admin::Item;
use crate::db::Db;
use crate::inbox::Inbox;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  prometei-flow deals list
  prometei-flow deals list --json")]
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
        let ((items, complete), counts) =
            tokio::try_join!(Item::all(inbox, store, SHOWN), inbox.counts())?;
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
