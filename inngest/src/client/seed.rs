use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest as _, Sha256};

/// Makes the server give the same ids to the events of a repeated send, so that none counts twice (P-176).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EventIdSeed {
    unix_milliseconds: u64,
    entropy: [u8; 10],
}

impl EventIdSeed {
    pub(crate) fn new(unix_milliseconds: u64, entropy: [u8; 10]) -> Self {
        Self { unix_milliseconds, entropy }
    }

    /// The seed of a step that sends: the same in every attempt of the step, so that a crash between sending
    /// and saving doubles nothing (P-179).
    pub(crate) fn of_step(run_id: &str, step_hash: &str) -> Self {
        let digest = Sha256::new().chain_update(run_id).chain_update(step_hash).finalize();
        let mut entropy = [0; 10];
        for (byte, source) in entropy.iter_mut().zip(digest) {
            *byte = source;
        }
        Self::new(ulid_milliseconds(run_id).unwrap_or_default(), entropy)
    }

    /// The seed for what follows so many events of the same send. The server counts on from the seed, event by event, so
    /// an event has the same id whatever requests it and those before it go in.
    pub(super) fn after(&self, events: usize) -> Self {
        let [start @ .., a, b, c, d] = self.entropy;
        let events = u32::try_from(events).unwrap_or(u32::MAX);
        // Beyond four bytes the count begins anew, as that of the server does.
        let count = u32::from_be_bytes([a, b, c, d]).wrapping_add(events);
        let mut entropy = [0; 10];
        let (first, last) = entropy.split_at_mut(start.len());
        first.copy_from_slice(&start);
        last.copy_from_slice(&count.to_be_bytes());
        Self { entropy, ..*self }
    }

    pub(crate) fn header_value(&self) -> String {
        format!("{},{}", self.unix_milliseconds, BASE64_STANDARD.encode(self.entropy))
    }
}

/// The time in the first ten characters of a ULID (Crockford base 32).
fn ulid_milliseconds(ulid: &str) -> Option<u64> {
    const ALPHABET: &[u8] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    ulid.as_bytes().get(..10)?.iter().try_fold(0_u64, |millis, character| {
        let digit = ALPHABET.iter().position(|letter| letter == character)?;
        Some(millis * 32 + u64::try_from(digit).ok()?)
    })
}

#[cfg(test)]
mod tests {
    use super::{EventIdSeed, ulid_milliseconds};

    #[test]
    fn a_steps_seed_depends_on_run_and_step_alone() {
        let seed = |run, step| EventIdSeed::of_step(run, step).header_value();
        let first = seed("01M81HWYV2KTK2RAPW4NVTQ3GA", "abc");
        assert_eq!(first, seed("01M81HWYV2KTK2RAPW4NVTQ3GA", "abc"));
        assert_ne!(first, seed("01M81HWYV2KTK2RAPW4NVTQ3GA", "abd"));
        assert_ne!(first, seed("01M81HWYV2KTK2RAPW4NVTQ3GB", "abc"));
        assert!(first.starts_with("17953"), "{first}");
    }

    #[test]
    fn seeds_count_on_as_the_server_does() {
        let entropy = [1, 2, 3, 4, 5, 6, 0, 0, 0xff, 0xfe];
        let seed = EventIdSeed::new(7, entropy);
        assert_eq!(seed.after(0), seed);
        assert_eq!(seed.after(5_000).entropy, [1, 2, 3, 4, 5, 6, 0, 1, 0x13, 0x86]);
        assert_eq!(seed.after(5_000).after(5_000), seed.after(10_000));
        let last = EventIdSeed::new(7, [1, 2, 3, 4, 5, 6, 0xff, 0xff, 0xff, 0xff]);
        assert_eq!(last.after(1).entropy, [1, 2, 3, 4, 5, 6, 0, 0, 0, 0]);
    }

    #[test]
    fn the_time_of_a_ulid() {
        assert_eq!(ulid_milliseconds("01ARZ3NDEKTSV4RRFFQ69G5FAV"), Some(1_469_922_850_259));
        assert_eq!(ulid_milliseconds("short"), None);
        assert_eq!(ulid_milliseconds("01ARZ3NDE!TSV4RRFFQ69G5FAV"), None);
    }
}
