use std::io::Write;

use anyhow::{Context as _, ensure};
use clap::Args;
use serde_json::json;

use super::NOT_CHANGED;
use super::which::Choice;
use crate::inbox::Inbox;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  prometei-flow deals dismiss --lead 45721053 --why 'a test of our own'")]
pub(super) struct Dismiss {
    #[command(flatten)]
    choice: Choice,
    /// Why it needs no record: kept with the deal
    #[arg(long)]
    why: String,
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl Dismiss {
    pub(super) async fn run(self, inbox: &Inbox, out: &mut impl Write) -> anyhow::Result<()> {
        let which = self.choice.which().context("name a deal: --lead or --run")?;
        let dismissed = inbox.dismiss(&which, &self.why).await?;
        ensure!(!dismissed.is_empty(), NOT_CHANGED);
        if self.json {
            return Ok(writeln!(out, "{}", json!({ "dismissed": dismissed }))?);
        }
        for key in dismissed {
            writeln!(out, "{key} is dismissed until amoCRM reports something new of it")?;
        }
        Ok(())
    }
}
