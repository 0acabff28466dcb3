//! Where identifiers come from: ULIDs for events, runs and requests, UUIDs for apps and functions.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha1::{Digest as _, Sha1};
use ulid::{Generator, Ulid};

use crate::clock::Clock;

/// The time and fresh ids: all that is not determined by requests.
pub(crate) struct Env {
    pub(crate) clock: Arc<dyn Clock>,
    ulids: Mutex<Generator>,
}

impl Env {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, ulids: Mutex::new(Generator::new()) }
    }

    /// Unix milliseconds.
    pub(crate) fn now(&self) -> i64 {
        self.clock.now()
    }

    /// ULIDs ascend, also within a millisecond.
    pub(crate) fn ulid(&self) -> Ulid {
        let at = UNIX_EPOCH + Duration::from_millis(u64::try_from(self.now()).unwrap_or(0));
        let mut ulids = self.ulids.lock().unwrap_or_else(PoisonError::into_inner);
        // 2^80 ids in one millisecond: the next id may as well be a fresh random one.
        ulids.generate_from_datetime(at).unwrap_or_else(|_| Ulid::from_datetime(at))
    }

    /// The id of a queue item: short and opaque, as the real server's.
    pub(crate) fn job(&self) -> String {
        hex::encode(&Sha1::digest(self.ulid().to_bytes())[..6])
    }

    /// A random UUID, such as a sync id.
    pub(crate) fn uuid(&self) -> String {
        named_uuid("random", &self.ulid().to_string())
    }
}

/// A UUID that is the same for the same name in every process, so that a restart does not change ids.
pub(crate) fn named_uuid(space: &str, name: &str) -> String {
    let mut hash = Sha1::new();
    hash.update(space.as_bytes());
    hash.update([0]);
    hash.update(name.as_bytes());
    let digest = hash.finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    bytes[6] = (bytes[6] & 0x0f) | 0x50;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex = hex::encode(bytes);
    let (a, b, c, d, e) = (&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]);
    format!("{a}-{b}-{c}-{d}-{e}")
}

/// `ctx.qi_id`: the queue item's id as checkpointing names it. SDKs must treat it as opaque.
pub(crate) fn queue_item_id(job_id: &str) -> String {
    BASE64.encode(format!("{job_id}::default"))
}

/// The job that a `qi_id` was made from.
pub(crate) fn job_of_queue_item(id: &str) -> Option<String> {
    let text = String::from_utf8(BASE64.decode(id).ok()?).ok()?;
    Some(text.strip_suffix("::default")?.to_owned())
}

/// Value of the `x-inngest-event-id-seed` header: one seed makes the same ids for every retry of a send (P-176).
#[derive(Debug, Clone, Copy)]
pub(crate) struct EventIdSeed {
    unix_ms: u64,
    entropy: [u8; 10],
}

impl EventIdSeed {
    /// `<unix millis>,<base64 of 10 bytes>`; anything else is ignored, as the real server does.
    pub(crate) fn parse(header: &str) -> Option<Self> {
        let (millis, entropy) = header.split_once(',')?;
        let unix_ms = millis.parse().ok().filter(|millis| *millis > 0)?;
        let entropy = BASE64.decode(entropy).ok()?.try_into().ok()?;
        Some(Self { unix_ms, entropy })
    }

    /// The id of the event at `index` (from zero) of the request.
    pub(crate) fn ulid(&self, index: usize) -> Ulid {
        let [head @ .., a, b, c, d] = self.entropy;
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        let tail = u32::from_be_bytes([a, b, c, d]).wrapping_add(index).wrapping_add(1);
        let random = head
            .iter()
            .chain(&tail.to_be_bytes())
            .fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte));
        Ulid::from_parts(self.unix_ms, random)
    }
}

#[cfg(test)]
mod tests {
    use super::EventIdSeed;

    #[test]
    fn a_seed_makes_the_ids_that_server_1_43_makes() {
        let seed = EventIdSeed::parse("1795348658000,AAECAwQFBgcICQ==").unwrap();
        assert_eq!(seed.ulid(0).to_string(), "01M81HWXTG000G40R40M30E20A");
        assert_eq!(seed.ulid(1).to_string(), "01M81HWXTG000G40R40M30E20B");
    }

    #[test]
    fn a_malformed_seed_is_no_seed() {
        for header in ["", "1", "0,AAECAwQFBgcICQ==", "x,AAECAwQFBgcICQ==", "1,AAEC", "1,?"] {
            assert!(EventIdSeed::parse(header).is_none(), "{header}");
        }
    }
}
