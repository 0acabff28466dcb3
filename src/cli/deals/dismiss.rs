use std::io::Write;

use anyhow::{Context as _, ensure};
use clap::Args;

use super::NOT_CHANGED;
use super::which::Choice;
use crate::inbox::Inbox;

#[derive(Debug, Args)]
pub(super) struct Dismiss {
    #[command(flatten)]
    choice: Choice,
    /// Why it needs no record: kept with the deal
    #[arg(long)]
    why: String,
}

impl Dismiss {
    pub(super) async fn run(self, inbox: &Inbox, out: &mut impl Write) -> anyhow::Result<()> {
        let which = self.choice.which().context("name a deal: --lead or --run")?;
        let dismissed = inbox.dismiss(&which, &self.why).await?;
        ensure!(!dismissed.is_empty(), NOT_CHANGED);
        for key in dismissed {
            writeln!(out, "{key} is dismissed until amoCRM reports something new of it")?;
        }
        Ok(())
    }
}
