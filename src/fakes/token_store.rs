use std::sync::{Arc, Mutex};

use super::server::lock;
use crate::amocrm::{StoredTokenPair, TokenPair, TokenStore};

/// A token store that forgets everything with the process. Clones are handles to the same one.
#[derive(Debug, Clone, Default)]
pub struct MemoryTokenStore(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    stored: Option<StoredTokenPair>,
    broken: bool,
}

impl MemoryTokenStore {
    /// From now on the store can be read, and nothing can be stored; or all is well again.
    pub fn set_broken(&self, broken: bool) {
        lock(&self.0).broken = broken;
    }

    /// The stored pair.
    pub fn stored(&self) -> Option<StoredTokenPair> {
        lock(&self.0).stored.clone()
    }
}

impl TokenStore for MemoryTokenStore {
    async fn load(&self) -> anyhow::Result<Option<StoredTokenPair>> {
        Ok(self.stored())
    }

    async fn replace(&self, replaces: Option<i64>, pair: &TokenPair) -> anyhow::Result<bool> {
        let mut state = lock(&self.0);
        anyhow::ensure!(!state.broken, "disk full");
        let current = state.stored.as_ref().map(|stored| stored.generation);
        if current != replaces {
            return Ok(false);
        }
        let generation = current.unwrap_or(0) + 1;
        state.stored = Some(StoredTokenPair { pair: pair.clone(), generation });
        Ok(true)
    }
}
