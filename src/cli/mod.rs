//! The command line: one file for each command.

mod amocrm;
mod colour;
mod completions;
mod db;
mod deals;
mod demo;
mod dev;
mod doctor;
mod exit;
mod healthcheck;
mod progress;
mod send_deal;
mod serve;
mod signals;
#[cfg(test)]
mod tests;
mod watch;
pub mod world;

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::ProcessEnv;
use colour::Colours;
pub use exit::Exit;

/// Carries deals from amoCRM into an ERP through Inngest, and never loses or doubles one.
#[derive(Debug, Parser)]
#[command(version, after_help = format!("\
Begin here:
  prometei-flow demo      a deal travels; nothing to configure
  prometei-flow dev       the service with all that it needs around it, to work on it
  prometei-flow doctor    what is wrong with this configuration

Variables come from the environment and from .env in the current folder; docs/configuration.md explains each.

{}", exit::help()))]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves Inngest and amoCRM's webhooks; what runs without a command.
    #[command(after_help = "\
Examples:
  INNGEST_DEV=1 prometei-flow serve
  HOST=0.0.0.0 prometei-flow serve

It reads every variable. For production it needs INNGEST_EVENT_KEY, INNGEST_SIGNING_KEY, AMOCRM_WEBHOOK_SECRET and the
CRM_API_* group, and says at once which are missing. INNGEST_DEV=1 is for development: nothing is signed.")]
    Serve,
    /// Shows a deal travel from a fake amoCRM into a fake ERP. Needs no configuration and no network.
    Demo(demo::Demo),
    /// Runs the service with a dev server, and fakes for what is not configured, until Ctrl-C.
    Dev(dev::Dev),
    /// Shows the deals that need a person, and records what the person found.
    Deals(deals::Deals),
    /// Sends one `crm/create-deal` event and prints its id.
    SendDeal(send_deal::SendDeal),
    /// Checks everything that can be wrong before a deal is lost.
    Doctor(doctor::Doctor),
    /// Asks the service on this machine whether it is ready: for containers. Exit code 0 when it is.
    Healthcheck(healthcheck::Healthcheck),
    /// Connects this service and amoCRM: the consent, and the webhook.
    #[command(name = "amocrm")]
    AmoCrm(amocrm::AmoCrm),
    /// Copies the service's database, for instance from SQLite to PostgreSQL.
    Db(db::Database),
    /// Prints what a shell needs to complete these commands.
    Completions(completions::Completions),
}

/// Runs a command to its end.
pub fn main(cli: Cli) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&anyhow::Error::new(error).context("no async runtime")),
    };
    let done = runtime.block_on(run(cli));
    // Dropped, it would wait for a look-up of a name that hangs, without a limit.
    runtime.shutdown_background();
    match done {
        Ok(()) => Exit::Done.into(),
        Err(error) => failed(&error),
    }
}

async fn run(cli: Cli) -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    match cli.command.unwrap_or(Command::Serve) {
        Command::Serve => serve::serve(&environment()?).await,
        // The demo is the same everywhere: nothing around it is read.
        Command::Demo(demo) => demo.run(&mut out).await,
        Command::Dev(dev) => dev.run(&environment()?, &mut out).await,
        Command::Deals(deals) => deals.run(&environment()?, &mut out).await,
        Command::SendDeal(deal) => deal.run(&environment()?, &mut out).await,
        Command::Doctor(doctor) => doctor.run(&environment()?, &mut out).await,
        Command::Healthcheck(check) => check.run(&environment()?, &mut out).await,
        Command::AmoCrm(amocrm) => amocrm.run(&environment()?, &mut out).await,
        Command::Db(database) => database.run(&mut out).await,
        Command::Completions(completions) => completions.run(&mut out),
    }
}

fn environment() -> anyhow::Result<ProcessEnv> {
    Ok(ProcessEnv::with_dotenv(Path::new(".env"))?)
}

fn failed(error: &anyhow::Error) -> ExitCode {
    let word = Colours::of_errors(&ProcessEnv::default()).red("error:");
    // Where standard error is closed, the exit code has to do.
    let _ = writeln!(std::io::stderr(), "{word} {error:#}");
    Exit::of(error).into()
}
