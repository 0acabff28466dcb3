use std::io::Write;

use anyhow::ensure;
use clap::Args;
use serde_json::json;

use super::NOT_CHANGED;
use super::which::Choice;
use crate::db::Db;
use crate::deals::{self, Which};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  prometei-flow deals retry --lead 45721053
  prometei-flow deals retry --run 01KAYQ0V8E5D4Y6V6B8Y1T5R2Z
  prometei-flow deals retry --all --json")]
pub(super) struct Retry {
    #[command(flatten)]
    choice: Choice,
    /// Every deal that has failed or waits for something
    #[arg(long, required_unless_present_any = ["lead", "run"], conflicts_with_all = ["lead", "run"])]
    all: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl Retry {
    pub(super) async fn run(self, store: &Db, out: &mut impl Write) -> anyhow::Result<()> {
        let which = self.choice.which().unwrap_or(Which::All);
        let due = deals::send_again(store, &which).await?;
        ensure!(which == Which::All || !due.is_empty(), NOT_CHANGED);
        if self.json {
            return Ok(writeln!(out, "{}", json!({ "due": due }))?);
        }
        if due.is_empty() {
            writeln!(out, "no deal has failed or waits for something")?;
        }
        for key in due {
            writeln!(out, "{key} is due: a running service sends it within half a minute")?;
        }
        Ok(())
    }
}
