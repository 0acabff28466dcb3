use std::io::Write;

use clap::Args;
use serde::Serialize;

use super::SHOWN;
use super::unreadable::Unreadable;
use crate::db::Db;
use crate::deals::{self, FailedDeal};
use crate::inbox::{HeldRow, Inbox, ParkedRow};

#[derive(Debug, Args)]
pub(super) struct List {
    /// As JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    items: Vec<Item>,
    /// Whether that is all; of each kind only so many are shown.
    complete: bool,
    /// Webhooks of the last 30 days.
    unreadable_webhooks: i64,
    /// The newest of them.
    unreadable: Vec<Unreadable>,
}

/// Something that is not done.
#[derive(Serialize)]
struct Item {
    state: &'static str,
    key: String,
    lead: Option<i64>,
    since: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tried: Option<i64>,
    reason: String,
    /// What happens next, or what a person must do.
    next: String,
}

impl List {
    pub(super) async fn run(self, store: &Db, out: &mut impl Write) -> anyhow::Result<()> {
        let report = Report::of(store).await?;
        if self.json {
            serde_json::to_writer_pretty(&mut *out, &report)?;
            return Ok(writeln!(out)?);
        }
        report.print(out)
    }
}

impl Report {
    async fn of(store: &Db) -> anyhow::Result<Self> {
        let inbox = Inbox::new(store.clone());
        let (parked, held, failed, counts) = tokio::try_join!(
            inbox.parked(SHOWN + 1),
            inbox.held(None, SHOWN + 1),
            deals::failed(store, SHOWN + 1),
            inbox.counts(),
        )?;
        let shown = SHOWN as usize;
        let complete = [parked.len(), held.len(), failed.len()].iter().all(|kind| *kind <= shown);
        let parked = parked.into_iter().take(shown).map(Item::from);
        let held = held.into_iter().take(shown).map(Item::from);
        let failed = failed.into_iter().take(shown).map(Item::from);
        let items = parked.chain(held).chain(failed).collect();
        let unreadable = Unreadable::of(&inbox).await?;
        Ok(Self { items, complete, unreadable_webhooks: counts.unparsable, unreadable })
    }

    fn print(&self, out: &mut impl Write) -> anyhow::Result<()> {
        for item in &self.items {
            let (event, run) = (item.event.as_ref(), item.run.as_ref());
            let origin = event.map(|id| format!("  event {id}"));
            let origin = origin.or(run.map(|id| format!("  run {id}"))).unwrap_or_default();
            writeln!(out, "{}  {}  {}{origin}", item.key, item.state, item.since)?;
            let tried = item.tried.map(|times| format!(" (tried {times} times)"));
            writeln!(out, "    {}{}", item.reason, tried.unwrap_or_default())?;
            writeln!(out, "    -> {}", item.next)?;
        }
        if !self.complete {
            writeln!(out, "there are more; of each kind {SHOWN} are shown")?;
        }
        if self.items.is_empty() {
            writeln!(out, "no deal needs a person")?;
        }
        Unreadable::print(&self.unreadable, self.unreadable_webhooks, out)
    }
}

impl From<ParkedRow> for Item {
    fn from(row: ParkedRow) -> Self {
        Self {
            state: "parked",
            key: format!("lead:{}", row.lead_id),
            lead: Some(row.lead_id),
            since: format!("{:.0}", row.parked_at),
            run: None,
            event: Some(row.id),
            tried: None,
            reason: row.reason,
            next: format!(
                "it was given up and has no record; mend the cause, then: prometei-flow deals retry --lead {}",
                row.lead_id
            ),
        }
    }
}

impl From<HeldRow> for Item {
    fn from(row: HeldRow) -> Self {
        Self {
            state: "waits for Inngest",
            key: format!("lead:{}", row.lead_id),
            lead: Some(row.lead_id),
            since: format!("{:.0}", row.received_at),
            run: None,
            event: Some(row.id),
            tried: Some(row.attempts),
            reason: row.reason,
            next: "it goes again by itself, once a minute or so while the service runs".to_owned(),
        }
    }
}

impl From<FailedDeal> for Item {
    fn from(deal: FailedDeal) -> Self {
        let next = if deal.in_doubt {
            "look for the record in the ERP, then: prometei-flow deals resolve"
        } else {
            "mend the cause, then replay the run in Inngest"
        };
        Self {
            state: if deal.in_doubt { "in doubt" } else { "failed" },
            key: deal.key,
            lead: deal.lead_id,
            since: format!("{:.0}", deal.at),
            run: Some(deal.run_id),
            event: None,
            tried: None,
            reason: deal.reason,
            next: next.to_owned(),
        }
    }
}
