//! Reads JSON only to find what the server could not keep.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::strict::{MAX_INTEGER, inexact, repeated};

/// Finds repeated keys and integers beyond 2^53, and whatever the parser itself refuses: lone surrogates,
/// numbers beyond `f64`.
pub(super) fn scan(json: &str) -> serde_json::Result<()> {
    serde_json::from_str::<Sound>(json).map(|Sound| ())
}

struct Sound;

impl<'de> Deserialize<'de> for Sound {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Scan)
    }
}

struct Scan;

impl<'de> Visitor<'de> for Scan {
    type Value = Sound;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Sound, E> {
        Ok(Sound)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Sound, E> {
        if value.unsigned_abs() > MAX_INTEGER { Err(E::custom(inexact(value))) } else { Ok(Sound) }
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Sound, E> {
        if value > MAX_INTEGER { Err(E::custom(inexact(value))) } else { Ok(Sound) }
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Sound, E> {
        Ok(Sound)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Sound, E> {
        Ok(Sound)
    }

    fn visit_unit<E: Error>(self) -> Result<Sound, E> {
        Ok(Sound)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Sound, A::Error> {
        while items.next_element::<Sound>()?.is_some() {}
        Ok(Sound)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Sound, A::Error> {
        let mut keys = BTreeSet::new();
        while let Some(key) = entries.next_key::<Cow<'de, str>>()? {
            if keys.contains(&key) {
                return Err(A::Error::custom(repeated(&key)));
            }
            keys.insert(key);
            entries.next_value::<Sound>()?;
        }
        Ok(Sound)
    }
}
