//! Pauses that Inngest asks for.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use http::{HeaderMap, header};

use super::Client;

/// How long to wait before the next request, in either form of the header.
pub(crate) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let time = httpdate::parse_http_date(value).ok()?;
    Some(time.duration_since(now).unwrap_or_default())
}

/// The Unix time in milliseconds at which a pause ends.
#[derive(Default)]
pub(super) struct Pause(AtomicU64);

impl Client {
    /// Saves no steps within calls for so long: they are reported the ordinary way.
    pub(crate) fn pause_checkpoints(&self, pause: Duration) {
        let pause = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        let end = self.clock().unix_milliseconds().saturating_add(pause);
        self.inner.checkpoints.0.fetch_max(end, Ordering::Relaxed);
    }

    pub(crate) fn checkpoints_paused(&self) -> bool {
        self.clock().unix_milliseconds() < self.inner.checkpoints.0.load(Ordering::Relaxed)
    }
}
