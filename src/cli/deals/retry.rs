use std::io::Write;

use anyhow::ensure;
use clap::Args;

use super::NOT_CHANGED;
use super::which::Choice;
use crate::db::Db;
use crate::deals::{self, Which};

#[derive(Debug, Args)]
pub(super) struct Retry {
    #[command(flatten)]
    choice: Choice,
    /// Every deal that has failed or waits for something
    #[arg(long, required_unless_present_any = ["lead", "run"], conflicts_with_all = ["lead", "run"])]
    all: bool,
}

impl Retry {
    pub(super) async fn run(self, store: &Db, out: &mut impl Write) -> anyhow::Result<()> {
        let which = self.choice.which().unwrap_or(Which::All);
        let due = deals::send_again(store, &which).await?;
        if which == Which::All && due.is_empty() {
            return Ok(writeln!(out, "no deal has failed or waits for something")?);
        }
        ensure!(!due.is_empty(), NOT_CHANGED);
        for key in due {
            writeln!(out, "{key} is due: a running service sends it within half a minute")?;
        }
        Ok(())
    }
}
