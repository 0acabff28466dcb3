use std::sync::{Arc, Mutex};

use prometei_flow::amocrm::{StoredTokenPair, TokenPair, TokenStore};

/// A token store that forgets everything with the process. Clones are handles to the same one.
#[derive(Debug, Clone, Default)]
pub(crate) struct MemoryTokenStore(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    stored: Option<StoredTokenPair>,
    broken: bool,
}

impl MemoryTokenStore {
    /// From now on the store can be read, and nothing can be stored; or all is well again.
    pub(crate) fn set_broken(&self, broken: bool) {
        self.0.lock().unwrap().broken = broken;
    }

    /// The stored pair.
    pub(crate) fn stored(&self) -> Option<StoredTokenPair> {
        self.0.lock().unwrap().stored.clone()
    }
}

impl TokenStore for MemoryTokenStore {
    async fn load(&self) -> anyhow::Result<Option<StoredTokenPair>> {
        Ok(self.stored())
    }

    async fn replace(&self, replaces: Option<i64>, pair: &TokenPair) -> anyhow::Result<bool> {
        let mut state = self.0.lock().unwrap();
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
