//! States of consents that were begun: each can be redeemed once, within its time, by any replica.

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use crate::db::Db;

/// How long a person may take over a consent. amoCRM's code lives as long.
const LIFE: SignedDuration = SignedDuration::from_mins(20);

impl Db {
    /// Begins a consent: a new state, unguessable, for amoCRM to echo.
    pub async fn begin_consent(&self) -> anyhow::Result<String> {
        let mut random = [0; 32];
        getrandom::fill(&mut random)
            .map_err(|error| anyhow::anyhow!("no random bytes from the system: {error}"))?;
        let state = hex::encode(random);
        let now = self.clock().now();
        let mut transaction = self.begin().await?;
        let expired = sqlx::query("DELETE FROM oauth_states WHERE expires_at <= $1");
        transaction.execute(expired.bind(now.as_millisecond())).await?;
        let begun = sqlx::query("INSERT INTO oauth_states (hash, expires_at) VALUES ($1, $2)")
            .bind(hash(&state))
            .bind(now.saturating_add(LIFE).unwrap_or(Timestamp::MAX).as_millisecond());
        transaction.execute(begun).await?;
        transaction.commit().await?;
        Ok(state)
    }

    /// Redeems a state. `false`: it was never given out, was redeemed before, or has expired.
    pub async fn redeem_consent(&self, state: &str) -> anyhow::Result<bool> {
        // One statement: of two callbacks at once, one finds the row.
        let query = "DELETE FROM oauth_states WHERE hash = $1 AND expires_at > $2";
        let redeemed = sqlx::query(query).bind(hash(state)).bind(self.now());
        Ok(self.commit(redeemed).await? == 1)
    }
}

fn hash(state: &str) -> String {
    hex::encode(Sha256::digest(state.as_bytes()))
}
