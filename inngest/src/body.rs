//! Reading bodies before their signature is verified.

use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use crate::limits::MAX_BODY_BYTES;

/// What each body may take without a permit: ordinary calls fit, and so never wait for the bodies of untrusted clients.
const FREE: usize = 64 * 1024;
const DEFAULT_ROOM: usize = 2 * MAX_BODY_BYTES;
/// For a whole body, the wait for room included.
const TIME_TO_ARRIVE: Duration = Duration::from_secs(30);

/// Why a body was not read.
#[derive(Debug)]
pub(crate) enum Unread {
    TooLarge,
    /// It did not arrive in time, or there was no room for it.
    GivenUp,
    Broken,
}

/// Memory for the large bodies that are not verified yet, in permits of 1 KiB.
pub(crate) struct Room(Semaphore);

/// Dropped when the body is verified or refused.
pub(crate) type Held<'r> = Option<SemaphorePermit<'r>>;

impl Room {
    pub(crate) fn of(bytes: usize) -> Self {
        Self(Semaphore::new(bytes.max(MAX_BODY_BYTES).div_ceil(1024)))
    }

    /// The whole body of at most so many bytes, and the room that it takes.
    pub(crate) async fn read(&self, body: Body, most: usize) -> Result<(Bytes, Held<'_>), Unread> {
        let read = timeout(TIME_TO_ARRIVE, self.read_in_time(body, most)).await;
        read.unwrap_or(Err(Unread::GivenUp))
    }

    /// Room is taken for all that may come, and at once: bodies that took it piece by piece could each hold what the
    /// other waits for.
    async fn read_in_time(&self, mut body: Body, most: usize) -> Result<(Bytes, Held<'_>), Unread> {
        let (mut read, mut held) = (BytesMut::new(), None);
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|_| Unread::Broken)?.into_data() else { continue };
            let length = read.len() + data.len();
            if length > most {
                return Err(Unread::TooLarge);
            }
            if length == most && read.is_empty() && length <= FREE {
                return Ok((data, None));
            }
            if read.is_empty() {
                // Once and as much as it takes: growing by doubling would cost each slow body twice that.
                read.reserve(most.min(FREE));
            }
            if length > FREE && held.is_none() {
                let kib = u32::try_from((most - FREE).div_ceil(1024)).unwrap_or(u32::MAX);
                held = Some(self.0.acquire_many(kib).await.map_err(|_| Unread::GivenUp)?);
                read.reserve(most - read.len());
            }
            read.extend_from_slice(&data);
        }
        Ok((read.freeze(), held))
    }
}

impl Default for Room {
    fn default() -> Self {
        Self::of(DEFAULT_ROOM)
    }
}
