//! One at a time for each deal, within this process: the second run of a lead waits for the first, and then finds
//! the record instead of a claim.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

#[derive(Default)]
pub(super) struct Turns(Mutex<HashMap<String, Weak<AsyncMutex<()>>>>);

impl Turns {
    /// Waits until nothing else in this process works on `key`.
    pub(super) async fn take(&self, key: &str) -> OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            turns.retain(|_, turn| turn.strong_count() > 0);
            match turns.get(key).and_then(Weak::upgrade) {
                Some(turn) => turn,
                None => {
                    let turn = Arc::default();
                    turns.insert(key.to_owned(), Arc::downgrade(&turn));
                    turn
                }
            }
        };
        turn.lock_owned().await
    }
}

#[cfg(test)]
mod tests {
    use super::Turns;

    #[tokio::test]
    async fn the_same_deal_waits_and_another_one_does_not() {
        let turns = Turns::default();
        let first = turns.take("lead:1").await;
        turns.take("lead:2").await;
        let second = turns.take("lead:1");
        tokio::pin!(second);
        assert!(futures_pending(second.as_mut()).await);
        drop(first);
        second.await;
        turns.take("lead:3").await;
        assert_eq!(turns.0.lock().unwrap().len(), 1, "what is not held is forgotten");
    }

    async fn futures_pending<F: Future>(future: std::pin::Pin<&mut F>) -> bool {
        tokio::select! {
            biased;
            _ = future => false,
            () = std::future::ready(()) => true,
        }
    }
}
