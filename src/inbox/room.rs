//! How many bytes of webhooks are held at once: from the first byte that comes in until the last one is dropped, which may
//! be long after the answer, where the database stands still.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What a webhook takes besides its body.
pub(super) const OVERHEAD: usize = 4 * 1024;

/// How far a body is an ordinary one: amoCRM's have a few kilobytes.
pub(super) const ORDINARY: usize = 64 * 1024;

/// Bytes of ordinary bodies, and of the beginnings of larger ones, together.
const FOR_ORDINARY: usize = 16 * 1024 * 1024;

/// Bytes by which bodies are larger than ordinary ones, together. A few clients with large bodies use this up, and do not
/// keep out the webhooks of all others.
const FOR_LARGE: usize = 32 * 1024 * 1024;

/// The room for all webhooks. Clones share it.
#[derive(Clone)]
pub(super) struct Room {
    ordinary: Arc<Semaphore>,
    large: Arc<Semaphore>,
}

/// What one webhook takes of it, given back when it is dropped.
pub(super) struct Share {
    room: Room,
    bytes: usize,
    ordinary: OwnedSemaphorePermit,
    large: Option<OwnedSemaphorePermit>,
}

impl Room {
    pub(super) fn new() -> Self {
        Self {
            ordinary: Arc::new(Semaphore::new(FOR_ORDINARY)),
            large: Arc::new(Semaphore::new(FOR_LARGE)),
        }
    }

    /// Takes a webhook in of which no byte has been read. `None` when there is no room.
    pub(super) fn enter(&self) -> Option<Share> {
        let ordinary = take(&self.ordinary, OVERHEAD)?;
        Some(Share { room: self.clone(), bytes: 0, ordinary, large: None })
    }
}

impl Share {
    /// Makes it larger. `None` when there is no room. What was announced counts for nothing: a client that says four
    /// megabytes and sends none takes none.
    pub(super) fn grow(&mut self, bytes: usize) -> Option<()> {
        let before = self.bytes.min(ORDINARY);
        self.bytes += bytes;
        let ordinary = self.bytes.min(ORDINARY) - before;
        self.ordinary.merge(take(&self.room.ordinary, ordinary)?);
        let more = take(&self.room.large, bytes - ordinary)?;
        match &mut self.large {
            Some(large) => large.merge(more),
            none => *none = Some(more),
        }
        Some(())
    }

    /// The body that this is the share of. It is counted until its last clone is dropped, wherever that is.
    pub(super) fn hold(self, body: Bytes) -> Bytes {
        Bytes::from_owner(Held { body, _share: self })
    }
}

/// A body with its share.
struct Held {
    body: Bytes,
    _share: Share,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

fn take(room: &Arc<Semaphore>, bytes: usize) -> Option<OwnedSemaphorePermit> {
    Arc::clone(room).try_acquire_many_owned(u32::try_from(bytes).ok()?).ok()
}
