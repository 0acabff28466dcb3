//! What a person decides about deals.

use super::review::{Resolution, Which};
use super::table;
use crate::db::Db;

/// Ends the leases of a service that is gone: the next one need not wait for them. What it was sending stays in doubt.
/// Only for a service that is alone on its database; where replicas share it, their claims are alive.
pub(crate) async fn forget_claims(db: &Db) -> anyhow::Result<()> {
    if db.is_shared() { Ok(()) } else { table::forget_claims(db).await }
}

/// Makes the deals that a person means due. Returns their keys.
pub(crate) async fn send_again(db: &Db, which: &Which) -> anyhow::Result<Vec<String>> {
    let mut transaction = db.begin().await?;
    let due = table::retry(&mut transaction, which, db.now()).await?;
    transaction.commit().await?;
    Ok(due)
}

/// Ends a doubt with what a person has found. Returns the keys of the deals that are meant: where these are several, nothing
/// was changed.
pub(crate) async fn end_doubt(
    db: &Db,
    which: &Which,
    found: &Resolution,
) -> anyhow::Result<Vec<String>> {
    let mut transaction = db.begin().await?;
    let meant = table::resolve(&mut transaction, which, found, db.now()).await?;
    if meant.len() == 1 {
        transaction.commit().await?;
    }
    Ok(meant)
}
