use std::io::Write;
use std::sync::Arc;

use clap::Args;
use serde_json::json;

use crate::clock::SystemClock;
use crate::config::Env;
use crate::doctor::{self, Status};

#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// Prints the findings as JSON
    #[arg(long)]
    json: bool,
}

impl Doctor {
    pub(super) async fn run(self, env: &dyn Env, out: &mut impl Write) -> anyhow::Result<()> {
        let findings = doctor::examine(env, Arc::new(SystemClock)).await;
        let errors = findings.iter().filter(|finding| finding.status == Status::Error).count();
        if self.json {
            writeln!(out, "{}", json!({ "ok": errors == 0, "checks": findings }))?;
        } else {
            for finding in &findings {
                writeln!(out, "{finding}")?;
            }
        }
        match errors {
            0 => Ok(()),
            1 => Err(anyhow::anyhow!("doctor found 1 error")),
            n => Err(anyhow::anyhow!("doctor found {n} errors")),
        }
    }
}
