//! How far behind the present reconciliation is, for those who watch it.

use jiff::SignedDuration;

use super::{log, table};
use crate::db::Db;
use crate::deals::Dedupe;

/// How far reconciliation has come, where it is switched on.
#[derive(Clone)]
pub(crate) struct Progress(Option<Db>);

impl Progress {
    /// That of the reconciliation in `db`; `None` where it is switched off.
    pub(crate) fn new(db: Option<Db>) -> Self {
        Self(db)
    }

    /// How long ago the moment is up to which amoCRM's events were read; `None` where reconciliation is switched off
    /// or has not run yet.
    pub(crate) async fn behind(&self) -> anyhow::Result<Option<SignedDuration>> {
        let Some(db) = &self.0 else { return Ok(None) };
        let read_to = table::read_to(db).await?;
        Ok(read_to.map(|read_to| db.time().duration_since(read_to)))
    }
}

/// Further behind than this it is not on time. It waits for webhooks on purpose, and runs every five minutes.
pub(crate) fn behind_limit(dedupe: Dedupe) -> SignedDuration {
    log::grace(dedupe).saturating_add(SignedDuration::from_mins(30))
}
