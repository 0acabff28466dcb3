use std::io::{IsTerminal as _, Write, stderr};
use std::sync::Arc;

use clap::{Args, Subcommand};
use serde_json::json;

use crate::clock::SystemClock;
use crate::db::copy::copy;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  prometei-flow db copy --from sqlite://prometei-flow.db --to postgres://flow@db.example.org/flow")]
pub(super) struct Database {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Copies all that the service knows from one database into an empty one.
    Copy(Copy),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  prometei-flow db copy --from sqlite://prometei-flow.db --to postgres://flow@db.example.org/flow
  prometei-flow db copy --from postgres://flow@db.example.org/flow --to sqlite://copy.db --json

Stop the service on all machines first. It is one transaction: the target holds all, or what it held before. The
password of PostgreSQL may come from PGPASSWORD or ~/.pgpass, so that no list of processes shows it.")]
struct Copy {
    /// The database to read: sqlite://<path> or postgres://...
    #[arg(long)]
    from: String,
    /// The database to fill: a new one
    #[arg(long)]
    to: String,
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl Database {
    pub(super) async fn run(self, out: &mut impl Write) -> anyhow::Result<()> {
        let Command::Copy(Copy { from, to, json }) = self.command;
        let mut terminal = stderr().is_terminal().then(stderr);
        let mut progress = |table: &str, so_far, of| {
            if let Some(terminal) = &mut terminal {
                let _ = write!(terminal, "\r\x1b[K{table}: {so_far} of {of} rows");
                let _ = terminal.flush();
            }
        };
        let copied = copy(&from, &to, Arc::new(SystemClock), &mut progress).await;
        if let Some(terminal) = &mut terminal {
            let _ = write!(terminal, "\r\x1b[K");
        }
        let copied = copied?;
        if json {
            return Ok(writeln!(out, "{}", json!({ "tables": copied }))?);
        }
        for table in copied {
            writeln!(out, "{:18} {} rows", table.table, table.rows)?;
        }
        writeln!(
            out,
            "All of it is copied. Next: set DATABASE_URL to the new database, start the service, and never start it on the \
             old one again"
        )?;
        Ok(())
    }
}
