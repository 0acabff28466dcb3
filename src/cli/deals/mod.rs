mod list;
mod resolve;
mod retry;
mod unreadable;

use std::io::Write;
use std::sync::Arc;

use clap::{Args, Subcommand};

use self::list::List;
use self::resolve::Resolve;
use self::retry::Retry;
use super::serve::load;
use crate::clock::SystemClock;
use crate::config::Env;
use crate::db::Db;
use crate::inbox::Inbox;

/// The most deals of a kind that are shown.
const SHOWN: u32 = 200;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Deals {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    list: List,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Lists what is not done: deals without a record, and leads that Inngest does not have, each with the reason and
    /// what to do; what runs without an action
    List(List),
    /// Sends leads again that were given up because Inngest refused them
    Retry(Retry),
    /// Records what you found in the ERP about a deal that may or may not have a record
    Resolve(Resolve),
}

impl Deals {
    pub(super) async fn run(self, env: &dyn Env, out: &mut impl Write) -> anyhow::Result<()> {
        let config = load(env)?;
        let store = Db::open(&config.database.url, Arc::new(SystemClock)).await?;
        let done = match self.action.unwrap_or(Action::List(self.list)) {
            Action::List(list) => list.run(&store, out).await,
            Action::Retry(retry) => retry.run(&Inbox::new(store.clone()), out).await,
            Action::Resolve(resolve) => resolve.run(&store, out).await,
        };
        store.close().await;
        done
    }
}
