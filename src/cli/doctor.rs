use std::io::Write;
use std::sync::Arc;

use clap::Args;
use serde_json::json;

use super::colour::Colours;
use super::progress::during;
use crate::clock::SystemClock;
use crate::config::Env;
use crate::doctor::{self, Status};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  prometei-flow doctor
  prometei-flow doctor --json

It reads every variable, changes nothing, and takes a quarter of a minute at most. docs/operations.md has an entry for
each of its findings. The exit code is 1 when it found an error.")]
pub(super) struct Doctor {
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl Doctor {
    pub(super) async fn run(self, env: &dyn Env, out: &mut impl Write) -> anyhow::Result<()> {
        let findings = doctor::examine(env, Arc::new(SystemClock));
        let findings = during("asking amoCRM, the ERP, Inngest and the database", findings).await;
        let errors = findings.iter().filter(|finding| finding.status == Status::Error).count();
        if self.json {
            writeln!(out, "{}", json!({ "ok": errors == 0, "checks": findings }))?;
        } else {
            let colours = Colours::of_output(env);
            for finding in &findings {
                let line = finding.to_string();
                let (status, rest) = line.split_once(' ').unwrap_or_default();
                let status = match finding.status {
                    Status::Ok => colours.green(status),
                    Status::Warning => colours.yellow(status),
                    Status::Error => colours.red(status),
                };
                writeln!(out, "{status} {rest}")?;
            }
        }
        match errors {
            0 => Ok(()),
            1 => Err(anyhow::anyhow!("doctor found 1 error")),
            n => Err(anyhow::anyhow!("doctor found {n} errors")),
        }
    }
}
