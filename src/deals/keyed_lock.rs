//! A lock for each deal, within this process: the second run of a lead waits for the first, and then finds the record
//! instead of a claim that is held.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

#[derive(Default)]
pub(super) struct KeyedLock(Mutex<HashMap<String, Weak<AsyncMutex<()>>>>);

impl KeyedLock {
    /// Waits until nothing else in this process works on `key`.
    pub(super) async fn lock(&self, key: &str) -> OwnedMutexGuard<()> {
        let lock = {
            let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            locks.retain(|_, lock| lock.strong_count() > 0);
            match locks.get(key).and_then(Weak::upgrade) {
                Some(lock) => lock,
                None => {
                    let lock = Arc::default();
                    locks.insert(key.to_owned(), Arc::downgrade(&lock));
                    lock
                }
            }
        };
        lock.lock_owned().await
    }
}

#[cfg(test)]
mod tests {
    use super::KeyedLock;

    #[tokio::test]
    async fn the_same_deal_waits_and_another_one_does_not() {
        let locks = KeyedLock::default();
        let first = locks.lock("lead:1").await;
        locks.lock("lead:2").await;
        let second = locks.lock("lead:1");
        tokio::pin!(second);
        assert!(futures_pending(second.as_mut()).await);
        drop(first);
        second.await;
        locks.lock("lead:3").await;
        assert_eq!(locks.0.lock().unwrap().len(), 1, "what is not held is forgotten");
    }

    async fn futures_pending<F: Future>(future: std::pin::Pin<&mut F>) -> bool {
        tokio::select! {
            biased;
            _ = future => false,
            () = std::future::ready(()) => true,
        }
    }
}
