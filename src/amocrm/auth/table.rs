//! The OAuth token pair: one row, replaced by comparing its generation.

use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};

use crate::amocrm::{ExchangeLock, StoredTokenPair, TokenPair, TokenStore};
use crate::db::{Db, only, timestamp};

impl TokenStore for Db {
    async fn load(&self) -> anyhow::Result<Option<StoredTokenPair>> {
        // In a transaction that could write: behind any replacement that is under way, never beside it.
        let mut transaction = self.begin().await?;
        let query = "SELECT generation, access_token, refresh_token, obtained_at, expires_at FROM tokens WHERE id = 1";
        let rows: Vec<(i64, String, String, i64, i64)> =
            transaction.fetch(sqlx::query_as(query)).await?;
        transaction.commit().await?;
        let pair = rows.into_iter().next();
        pair.map(|(generation, access_token, refresh_token, obtained_at, expires_at)| {
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

    async fn lock_exchange(&self) -> anyhow::Result<ExchangeLock> {
        if !self.is_shared() {
            return Ok(ExchangeLock::default());
        }
        // The lock belongs to a transaction of its own, so that it ends with the connection whatever becomes of us.
        let mut transaction = self.begin().await?;
        let lock = sqlx::query("SELECT pg_advisory_xact_lock(7263402)::text");
        transaction.execute(lock).await?;
        Ok(ExchangeLock::new(transaction))
    }

    async fn next_turn(&self, spacing: Duration) -> anyhow::Result<Duration> {
        if !self.is_shared() {
            return Ok(Duration::ZERO);
        }
        // On the database's clock: the replicas' own ones differ.
        let turn = sqlx::query_as(
            "WITH now AS (SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS ms) \
             UPDATE amocrm_pace SET next_at = greatest(next_at, now.ms) + $1 FROM now WHERE id = 1 \
             RETURNING next_at - $1 - now.ms",
        )
        .bind(i64::try_from(spacing.as_millis())?);
        let mut transaction = self.begin().await?;
        let (wait,): (i64,) = only(transaction.fetch(turn).await?)?;
        transaction.commit().await?;
        Ok(Duration::from_millis(u64::try_from(wait)?))
    }

    async fn replace(&self, replaces: Option<i64>, pair: &TokenPair) -> anyhow::Result<bool> {
        // Comparing and storing is one statement, so that no other writer comes in between.
        let query = match replaces {
            Some(generation) => sqlx::query(
                "UPDATE tokens SET generation = generation + 1, access_token = $1, refresh_token = $2, \
                 obtained_at = $3, expires_at = $4 WHERE id = 1 AND generation = $5",
            )
            .bind(pair.access_token.expose_secret())
            .bind(pair.refresh_token.expose_secret())
            .bind(pair.obtained_at.as_millisecond())
            .bind(pair.expires_at.as_millisecond())
            .bind(generation),
            None => sqlx::query(
                "INSERT INTO tokens (id, generation, access_token, refresh_token, obtained_at, expires_at) \
                 VALUES (1, 1, $1, $2, $3, $4) ON CONFLICT (id) DO NOTHING",
            )
            .bind(pair.access_token.expose_secret())
            .bind(pair.refresh_token.expose_secret())
            .bind(pair.obtained_at.as_millisecond())
            .bind(pair.expires_at.as_millisecond()),
        };
        Ok(self.commit(query).await? == 1)
    }
}
