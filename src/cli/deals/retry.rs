use std::io::Write;

use anyhow::bail;
use clap::Args;

use super::SHOWN;
use crate::inbox::Inbox;

#[derive(Debug, Args)]
pub(super) struct Retry {
    /// The amoCRM lead
    #[arg(long, required_unless_present = "all", conflicts_with = "all")]
    lead: Option<u64>,
    /// Every lead that was given up
    #[arg(long)]
    all: bool,
}

impl Retry {
    pub(super) async fn run(self, inbox: &Inbox, out: &mut impl Write) -> anyhow::Result<()> {
        // Asked first: what was given up had been sent in vain before that.
        let held = inbox.held(self.lead, SHOWN).await?;
        let parked = inbox.unpark(self.lead).await?;
        let whose = self.lead.map(|lead| format!("lead {lead}: ")).unwrap_or_default();
        if parked > 0 {
            let events = if parked == 1 { "event is" } else { "events are" };
            writeln!(
                out,
                "{whose}{parked} {events} due again; a running service sends what is due within a minute, and \
                 `prometei-flow deals` shows what Inngest still does not take"
            )?;
        }
        for row in &held {
            writeln!(
                out,
                "lead {}: was not given up, was tried {} times and goes again by itself: {}",
                row.lead_id, row.attempts, row.reason
            )?;
        }
        match self.lead {
            Some(lead) if parked == 0 && held.is_empty() => bail!(
                "nothing was changed: lead {lead} was not given up on its way to Inngest; `prometei-flow deals` shows \
                 what needs a person"
            ),
            None if parked == 0 => writeln!(out, "nothing was given up")?,
            _ => {}
        }
        Ok(())
    }
}
