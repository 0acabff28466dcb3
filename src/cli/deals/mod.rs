mod dismiss;
mod list;
mod resolve;
mod retry;
#[cfg(test)]
mod tests;
mod unreadable;
mod which;

use std::io::Write;
use std::sync::Arc;

use clap::{Args, Subcommand};

use self::dismiss::Dismiss;
use self::list::List;
use self::resolve::Resolve;
use self::retry::Retry;
use crate::clock::SystemClock;
use crate::config::{self, Env};
use crate::db::Db;
use crate::inbox::Inbox;

/// The most deals that are shown.
const SHOWN: u32 = 200;

/// A decision that concerned no deal.
const NOT_CHANGED: &str = "nothing was changed: there is no such deal, it has its record, or it is on its way at this \
                           moment; `prometei-flow deals` shows every deal that is not done";

#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  prometei-flow deals
  prometei-flow deals --json
  prometei-flow deals retry --lead 45721053

It opens the database of DATABASE_URL, also beside a service that runs. What each decision does is in docs/operations.md."
)]
pub(super) struct Deals {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    list: List,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Lists every deal that is not done, and every record that differs from its lead: where it is, what happens next, and
    /// what needs you; what runs without an action
    List(List),
    /// Sends deals again that need you, after you have mended the cause, or that wait for something
    Retry(Retry),
    /// Records what you found in the ERP about a deal that may or may not have a record
    Resolve(Resolve),
    /// Ends a deal that shall have no record, or takes a record that differs from its lead off the list
    Dismiss(Dismiss),
}

impl Deals {
    pub(super) async fn run(self, env: &dyn Env, out: &mut impl Write) -> anyhow::Result<()> {
        let (database, rules) = config::ledger(env)?;
        let store = Db::open(&database.url, Arc::new(SystemClock)).await?;
        let done = match self.action.unwrap_or(Action::List(self.list)) {
            Action::List(list) => list.run(&Inbox::new(store.clone(), rules), &store, out).await,
            Action::Retry(retry) => retry.run(&store, out).await,
            Action::Resolve(resolve) => resolve.run(&store, out).await,
            Action::Dismiss(dismiss) => dismiss.run(&Inbox::new(store.clone(), rules), out).await,
        };
        store.close().await;
        done
    }
}
