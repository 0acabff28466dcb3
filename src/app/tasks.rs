//! What runs for as long as the service does.

use std::collections::HashMap;

use tokio::task::{Id, JoinError, JoinSet};

use crate::heartbeat::{Heartbeat, Heartbeats};

/// The loops and listeners of the service, each with a name. Dropped, it cuts them off.
pub(super) struct Tasks {
    running: JoinSet<()>,
    names: HashMap<Id, &'static str>,
    heartbeats: Heartbeats,
}

impl Tasks {
    /// None yet.
    pub(super) fn new(heartbeats: Heartbeats) -> Self {
        Self { running: JoinSet::new(), names: HashMap::new(), heartbeats }
    }

    /// Starts a loop, which says with a heartbeat that it goes round.
    pub(super) fn spawn_loop<T>(&mut self, name: &'static str, run: impl FnOnce(Heartbeat) -> T)
    where
        T: Future<Output = ()> + Send + 'static,
    {
        let heartbeat = self.heartbeats.of(name);
        self.spawn(name, run(heartbeat));
    }

    pub(super) fn spawn(
        &mut self,
        name: &'static str,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        let id = self.running.spawn(task).id();
        self.names.insert(id, name);
    }

    /// Waits for the next one that ends: its name, and the error of one that has crashed. `None` once all have ended.
    pub(super) async fn next_end(&mut self) -> Option<(&'static str, Result<(), JoinError>)> {
        let ended = self.running.join_next_with_id().await?;
        let id = ended.as_ref().map_or_else(JoinError::id, |(id, ())| *id);
        let name = self.names.remove(&id).unwrap_or("a task");
        Some((name, ended.map(drop)))
    }

    /// The names of those that have not ended.
    pub(super) fn names(&self) -> Vec<&'static str> {
        self.names.values().copied().collect()
    }
}
