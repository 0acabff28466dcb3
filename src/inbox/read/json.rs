use std::fmt::{self, Write as _};

use functions::webhook::Fields;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// The entities whose fields are read. Calls of Inngest are JSON too, and have none of them.
const ENTITIES: [&str; 3] = ["leads", "account", "unsorted"];

/// The longest path that is followed, in bytes. Every path that matters is shorter; and each value costs as much as its
/// path is long.
const PATH_LIMIT: usize = 200;

/// Adds the fields of a JSON object. `{"leads":{"status":[{"id":1}]}}` has the field `leads[status][0][id]`, and so has
/// `{"leads[status][0][id]":1}`.
pub(super) fn read(text: &[u8], fields: &mut Fields) -> serde_json::Result<()> {
    let text = String::from_utf8_lossy(text);
    let mut json = serde_json::Deserializer::from_str(&text);
    Walk { path: &mut String::new(), fields }.deserialize(&mut json)?;
    json.end()
}

/// Walks through the text without building a tree of it, which would take many times the room.
struct Walk<'a> {
    /// Where it is.
    path: &'a mut String,
    fields: &'a mut Fields,
}

impl Walk<'_> {
    fn add<E>(self, value: &str) -> Result<(), E> {
        self.fields.add(self.path, value);
        Ok(())
    }

    /// Goes one level down; whether there is anything that may matter.
    fn enter(&mut self, key: impl fmt::Display) -> bool {
        let root = self.path.is_empty();
        let written = if root { write!(self.path, "{key}") } else { write!(self.path, "[{key}]") };
        let followed =
            !root || ENTITIES.contains(&self.path.as_str()) || self.path.contains(['[', '%']);
        written.is_ok() && followed && self.path.len() <= PATH_LIMIT
    }

    fn below(&mut self) -> Walk<'_> {
        Walk { path: self.path, fields: self.fields }
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a webhook")
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.add(if value { "true" } else { "false" })
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.add(&value.to_string())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.add(&value.to_string())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.add(&value.to_string())
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        self.add(value)
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.add("")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut values: A) -> Result<(), A::Error> {
        let length = self.path.len();
        for n in 0_usize.. {
            let followed = self.enter(n);
            let next = if followed {
                values.next_element_seed(self.below())?.is_some()
            } else {
                values.next_element::<IgnoredAny>()?.is_some()
            };
            self.path.truncate(length);
            match next {
                true => {}
                false if n == 0 => return self.add(""),
                false => return Ok(()),
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut values: A) -> Result<(), A::Error> {
        let length = self.path.len();
        let mut empty = true;
        while let Some(key) = values.next_key::<String>()? {
            empty = false;
            if self.enter(key) {
                values.next_value_seed(self.below())?;
            } else {
                values.next_value::<IgnoredAny>()?;
            }
            self.path.truncate(length);
        }
        if empty { self.add("") } else { Ok(()) }
    }
}
