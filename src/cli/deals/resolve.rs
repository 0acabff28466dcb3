use std::io::Write;

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use serde_json::json;

use super::NOT_CHANGED;
use super::which::Choice;
use crate::db::Db;
use crate::deals::{self, Resolution};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  prometei-flow deals resolve --lead 45721053 --erp-id 119
  prometei-flow deals resolve --lead 45721053 --absent --json")]
pub(super) struct Resolve {
    #[command(flatten)]
    choice: Choice,
    /// The record exists in the ERP, with this id
    #[arg(long, conflicts_with = "absent", required_unless_present = "absent")]
    erp_id: Option<u64>,
    /// There is no record: the deal is sent again
    #[arg(long)]
    absent: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl Resolve {
    pub(super) async fn run(self, store: &Db, out: &mut impl Write) -> anyhow::Result<()> {
        let which = self.choice.which().context("name a deal: --lead or --run")?;
        let found = match self.erp_id {
            Some(id) => Resolution::Exists(id.to_string()),
            None => Resolution::Absent,
        };
        let resolved = deals::end_doubt(store, &which, &found).await?;
        ensure!(!resolved.is_empty(), NOT_CHANGED);
        let [key] = resolved.as_slice() else {
            bail!(
                "nothing was changed: name one of these deals with --event: {}",
                resolved.join(", ")
            );
        };
        if self.json {
            let record = self.erp_id.map(|id| id.to_string());
            return Ok(writeln!(out, "{}", json!({ "deal": key, "record": record }))?);
        }
        match found {
            Resolution::Exists(id) => writeln!(out, "{key} has record {id}; it is not sent again")?,
            Resolution::Absent => {
                writeln!(out, "{key} is due: a running service sends it within half a minute")?;
            }
        }
        Ok(())
    }
}
