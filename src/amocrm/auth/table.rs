//! What OAuth stores: the token pair, one row that is replaced by comparing its generation, and the states of consents.

use std::time::Duration;

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};

use super::pair::{StoredTokenPair, TokenPair};

use crate::db::{Db, Transaction, timestamp};

/// The newest pair, if one was ever stored.
pub(in crate::amocrm) async fn load(db: &Db) -> anyhow::Result<Option<StoredTokenPair>> {
    // In a transaction that could write: behind any replacement that is under way, never beside it.
    let mut transaction = db.begin().await?;
    let query = "SELECT generation, access_token, refresh_token, obtained_at, expires_at FROM tokens WHERE id = 1";
    let rows: Vec<(i64, String, String, i64, i64)> =
        transaction.fetch(sqlx::query_as(query)).await?;
    transaction.commit().await?;
    let row = rows.into_iter().next();
    row.map(|(generation, access_token, refresh_token, obtained_at, expires_at)| {
        let pair = TokenPair {
            access_token: SecretString::from(access_token),
            refresh_token: SecretString::from(refresh_token),
            obtained_at: timestamp(obtained_at)?,
            expires_at: timestamp(expires_at)?,
        };
        Ok(StoredTokenPair { pair, generation })
    })
    .transpose()
}

/// What a new pair may take the place of.
#[derive(Debug, Clone, Copy)]
pub(in crate::amocrm) enum Replaces {
    /// Nothing: it is the first one.
    Nothing,
    /// The pair of this generation, which it was exchanged for.
    Generation(i64),
    /// Any pair: it comes from a consent.
    Any,
}

/// Stores `pair`. Returns whether it was stored; `false` means that another pair was stored since, and that one is to be
/// loaded.
pub(in crate::amocrm) async fn replace(
    db: &Db,
    replaces: Replaces,
    pair: &TokenPair,
) -> anyhow::Result<bool> {
    // Comparing and storing is one statement, so that no other writer comes in between.
    let query = match replaces {
        Replaces::Nothing => {
            "INSERT INTO tokens (id, generation, access_token, refresh_token, obtained_at, expires_at) \
             VALUES (1, 1, $1, $2, $3, $4) ON CONFLICT (id) DO NOTHING"
        }
        Replaces::Generation(_) => {
            "UPDATE tokens SET generation = generation + 1, access_token = $1, refresh_token = $2, \
             obtained_at = $3, expires_at = $4 WHERE id = 1 AND generation = $5"
        }
        Replaces::Any => {
            "INSERT INTO tokens (id, generation, access_token, refresh_token, obtained_at, expires_at) \
             VALUES (1, 1, $1, $2, $3, $4) ON CONFLICT (id) DO UPDATE SET \
             generation = tokens.generation + 1, access_token = excluded.access_token, \
             refresh_token = excluded.refresh_token, obtained_at = excluded.obtained_at, \
             expires_at = excluded.expires_at"
        }
    };
    let mut query = sqlx::query(query)
        .bind(pair.access_token.expose_secret())
        .bind(pair.refresh_token.expose_secret())
        .bind(pair.obtained_at.as_millisecond())
        .bind(pair.expires_at.as_millisecond());
    if let Replaces::Generation(generation) = replaces {
        query = query.bind(generation);
    }
    Ok(db.commit(query).await? == 1)
}

/// Waits until no other replica exchanges a token, and keeps it so until the transaction is dropped. One process on a
/// database of its own needs no lock.
pub(super) async fn lock_exchange(db: &Db) -> anyhow::Result<Option<Transaction>> {
    if !db.is_shared() {
        return Ok(None);
    }
    // The lock belongs to a transaction of its own, so that it ends with the connection whatever becomes of us.
    let mut transaction = db.begin().await?;
    // It idles for as long as an exchange takes, and waits for as long as another replica's does.
    for patience in
        ["SET LOCAL lock_timeout = '30s'", "SET LOCAL idle_in_transaction_session_timeout = '2min'"]
    {
        transaction.execute(sqlx::query(patience)).await?;
    }
    let lock = sqlx::query("SELECT pg_advisory_xact_lock(7263402)::text");
    transaction.wait_for(lock, Duration::from_secs(31)).await?;
    Ok(Some(transaction))
}

/// Stores the hash of a state, and removes those that have expired.
pub(super) async fn insert_state(
    db: &Db,
    hash: &str,
    now: Timestamp,
    expires_at: Timestamp,
) -> anyhow::Result<()> {
    let mut transaction = db.begin().await?;
    let expired = sqlx::query("DELETE FROM oauth_states WHERE expires_at <= $1");
    transaction.execute(expired.bind(now.as_millisecond())).await?;
    let state = sqlx::query("INSERT INTO oauth_states (hash, expires_at) VALUES ($1, $2)")
        .bind(hash)
        .bind(expires_at.as_millisecond());
    transaction.execute(state).await?;
    Ok(transaction.commit().await?)
}

/// Removes a state. Returns whether it was there and had not expired.
pub(super) async fn remove_state(db: &Db, hash: &str, now: Timestamp) -> anyhow::Result<bool> {
    // One statement: of two callbacks at once, one finds the row.
    let query = "DELETE FROM oauth_states WHERE hash = $1 AND expires_at > $2";
    let removed = sqlx::query(query).bind(hash).bind(now.as_millisecond());
    Ok(db.commit(removed).await? == 1)
}
