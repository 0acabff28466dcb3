use std::io::Write;

use anyhow::bail;
use clap::Args;

use crate::db::Db;
use crate::deals::{self, Resolution};

#[derive(Debug, Args)]
pub(super) struct Resolve {
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

impl Resolve {
    pub(super) async fn run(self, store: &Db, out: &mut impl Write) -> anyhow::Result<()> {
        let key = deals::key(self.lead, self.run.as_deref());
        let found = match self.erp_id {
            Some(id) => Resolution::Exists(id.to_string()),
            None => Resolution::Absent,
        };
        if !deals::resolve(store, &key, &found).await? {
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
