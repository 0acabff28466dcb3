//! States of consents that were begun: each can be redeemed once, before it expires, by any replica.

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use super::table;
use crate::db::Db;

/// How long a person may take over a consent. amoCRM's code lives as long.
const LIFE: SignedDuration = SignedDuration::from_mins(20);

/// Begins a consent: a new state, which cannot be guessed, for amoCRM to echo.
pub(crate) async fn begin_consent(db: &Db, now: Timestamp) -> anyhow::Result<String> {
    let mut random = [0; 32];
    getrandom::fill(&mut random)
        .map_err(|error| anyhow::anyhow!("no random bytes from the system: {error}"))?;
    let state = hex::encode(random);
    let expires_at = now.saturating_add(LIFE).unwrap_or(Timestamp::MAX);
    table::insert_state(db, &hash(&state), now, expires_at).await?;
    Ok(state)
}

/// Redeems a state. `false`: it was never issued, was redeemed before, or has expired.
pub(in crate::amocrm) async fn redeem_consent(
    db: &Db,
    state: &str,
    now: Timestamp,
) -> anyhow::Result<bool> {
    table::remove_state(db, &hash(state), now).await
}

fn hash(state: &str) -> String {
    hex::encode(Sha256::digest(state.as_bytes()))
}
