//! What OAuth stores: the token pair, one row that is replaced by comparing its generation; the refresh tokens of the
//! configuration that are used up; and the states of consents.

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};

use super::pair::{Owner, StoredTokenPair, TokenPair};
use crate::db::{Db, Transaction, timestamp};

type Row = (i64, String, String, i64, i64, Option<String>, Option<String>, Option<String>);

/// The newest pair, if one was ever stored.
///
/// Behind any replacement that is under way, never beside it: that pair is spent, and looks like one whose successor is
/// lost. On SQLite the transaction is enough. On PostgreSQL a commit goes on after the end of its process, and so after that
/// of its lock on the exchange.
pub(in crate::amocrm) async fn load(db: &Db) -> anyhow::Result<Option<StoredTokenPair>> {
    let mut transaction = db.begin().await?;
    if db.is_shared() {
        transaction.execute(sqlx::query("LOCK TABLE tokens IN SHARE MODE")).await?;
    }
    let query = "SELECT generation, access_token, refresh_token, obtained_at, expires_at, client_id, host, refused \
                 FROM tokens WHERE id = 1";
    let rows: Vec<Row> = transaction.fetch(sqlx::query_as(query)).await?;
    transaction.commit().await?;
    let row = rows.into_iter().next();
    row.map(|(generation, access, refresh, obtained_at, expires_at, client_id, host, refused)| {
        let pair = TokenPair {
            access_token: SecretString::from(access),
            refresh_token: SecretString::from(refresh),
            obtained_at: timestamp(obtained_at)?,
            expires_at: timestamp(expires_at)?,
        };
        Ok(StoredTokenPair { pair, generation, owner: client_id.zip(host), refused })
    })
    .transpose()
}

/// When the newest pair was obtained, and when its access token expires.
pub(super) async fn times(db: &Db) -> anyhow::Result<Option<(Timestamp, Timestamp)>> {
    let query = sqlx::query_as("SELECT obtained_at, expires_at FROM tokens WHERE id = 1");
    let rows: Vec<(i64, i64)> = db.fetch(query).await?;
    let row = rows.into_iter().next();
    row.map(|(obtained, expires)| Ok((timestamp(obtained)?, timestamp(expires)?))).transpose()
}

/// What a new pair may take the place of.
#[derive(Debug, Clone, Copy)]
pub(in crate::amocrm) enum Replaces {
    /// Nothing: it is the first one.
    Nothing,
    /// The pair of this generation.
    Generation(i64),
    /// Any pair: it comes from a consent.
    Any,
}

/// Stores `pair` of `owner`. Returns whether it was stored; `false` means that another pair was stored since, and that
/// one is to be loaded.
pub(in crate::amocrm) async fn replace(
    db: &Db,
    owner: &Owner,
    replaces: Replaces,
    pair: &TokenPair,
) -> anyhow::Result<bool> {
    // Comparing and storing is one statement, so that no other writer comes in between.
    let query = match replaces {
        Replaces::Nothing => {
            "INSERT INTO tokens (id, generation, access_token, refresh_token, obtained_at, expires_at, client_id, host) \
             VALUES (1, 1, $1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO NOTHING"
        }
        Replaces::Generation(_) => {
            "UPDATE tokens SET generation = generation + 1, access_token = $1, refresh_token = $2, \
             obtained_at = $3, expires_at = $4, client_id = $5, host = $6, refused = NULL \
             WHERE id = 1 AND generation = $7"
        }
        Replaces::Any => {
            "INSERT INTO tokens (id, generation, access_token, refresh_token, obtained_at, expires_at, client_id, host) \
             VALUES (1, 1, $1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO UPDATE SET \
             generation = tokens.generation + 1, access_token = excluded.access_token, \
             refresh_token = excluded.refresh_token, obtained_at = excluded.obtained_at, \
             expires_at = excluded.expires_at, client_id = excluded.client_id, host = excluded.host, refused = NULL"
        }
    };
    let mut query = sqlx::query(query)
        .bind(pair.access_token.expose_secret())
        .bind(pair.refresh_token.expose_secret())
        .bind(pair.obtained_at.as_millisecond())
        .bind(pair.expires_at.as_millisecond())
        .bind(&owner.client_id)
        .bind(&owner.host);
    if let Replaces::Generation(generation) = replaces {
        query = query.bind(generation);
    }
    let mut transaction = db.begin().await?;
    let stored = transaction.execute(query).await? == 1;
    use_up_seed(&mut transaction, owner).await?;
    transaction.commit().await?;
    Ok(stored)
}

/// Notes that amoCRM refused the refresh token of this generation, so that no process offers it again.
pub(super) async fn refuse(
    db: &Db,
    owner: &Owner,
    generation: i64,
    reason: &str,
) -> anyhow::Result<()> {
    let mut transaction = db.begin().await?;
    let query = "UPDATE tokens SET refused = $1, client_id = $2, host = $3 WHERE id = 1 AND generation = $4";
    let query = sqlx::query(query).bind(reason).bind(&owner.client_id).bind(&owner.host);
    transaction.execute(query.bind(generation)).await?;
    use_up_seed(&mut transaction, owner).await?;
    Ok(transaction.commit().await?)
}

/// Notes that the pair of this generation is `owner`'s.
pub(super) async fn adopt(db: &Db, owner: &Owner, generation: i64) -> anyhow::Result<()> {
    let query = "UPDATE tokens SET client_id = $1, host = $2 WHERE id = 1 AND generation = $3";
    let query = sqlx::query(query).bind(&owner.client_id).bind(&owner.host).bind(generation);
    db.commit(query).await.map(drop)
}

/// Notes that the configured refresh token is not to be offered again.
pub(super) async fn refuse_seed(db: &Db, owner: &Owner) -> anyhow::Result<()> {
    let mut transaction = db.begin().await?;
    use_up_seed(&mut transaction, owner).await?;
    Ok(transaction.commit().await?)
}

/// Whether the configured refresh token is set and was never used, nor passed over for another pair.
pub(super) async fn has_unused_seed(db: &Db, owner: &Owner) -> anyhow::Result<bool> {
    let Some(seed) = &owner.seed else { return Ok(false) };
    let mut transaction = db.begin().await?;
    let query = sqlx::query_as("SELECT fingerprint FROM token_seeds WHERE fingerprint = $1");
    let known: Vec<(String,)> = transaction.fetch(query.bind(seed)).await?;
    transaction.commit().await?;
    Ok(known.is_empty())
}

async fn use_up_seed(transaction: &mut Transaction, owner: &Owner) -> sqlx::Result<()> {
    let Some(seed) = &owner.seed else { return Ok(()) };
    let query =
        "INSERT INTO token_seeds (fingerprint) VALUES ($1) ON CONFLICT (fingerprint) DO NOTHING";
    transaction.execute(sqlx::query(query).bind(seed)).await.map(drop)
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
