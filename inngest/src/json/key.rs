//! Looks at the key of a map while it is written.

use std::cell::Cell;
use std::fmt::Display;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use serde::ser::{Error, Impossible, Serialize, Serializer};

/// Keys of one map, in the order in which they come.
///
/// While each is greater than the one before, none occurs twice; that is so for sorted maps. Of a few in any order the hashes are
/// compared: structs with flattened parts are written as such maps. All others are left to [`scan`](super::scan).
#[derive(Default)]
pub(super) struct Keys {
    last: Option<String>,
    in_no_order: bool,
    hashes: [u64; FEW],
    count: usize,
}

/// Of so many keys the hashes are compared.
const FEW: usize = 16;

impl Keys {
    /// Checks the next key: it must be a text, or what JSON writes as one.
    pub(super) fn next<T, E>(&mut self, key: &T, doubtful: &Cell<bool>) -> Result<(), E>
    where
        T: Serialize + ?Sized,
        E: Error,
    {
        key.serialize(Key { keys: self, doubtful, error: std::marker::PhantomData::<fn() -> E> })
    }

    fn take(&mut self, key: &str, doubtful: &Cell<bool>) {
        self.in_no_order |= self.last.as_deref().is_some_and(|last| key <= last);
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let hash = hasher.finish();
        let room = self.hashes.get_mut(self.count);
        let is_one_of_few = room.is_some();
        if let Some(room) = room {
            *room = hash;
        }
        // Equal hashes do not make equal keys, so such a map is looked at.
        let known = self.hashes.iter().take(self.count).any(|known| *known == hash);
        if self.in_no_order && (known || !is_one_of_few) {
            doubtful.set(true);
        }
        self.count += 1;
        let last = self.last.get_or_insert_default();
        last.clear();
        last.push_str(key);
    }
}

struct Key<'k, 'c, E> {
    keys: &'k mut Keys,
    doubtful: &'c Cell<bool>,
    error: std::marker::PhantomData<fn() -> E>,
}

fn no_text<T, E: Error>() -> Result<T, E> {
    Err(E::custom("a map has a key that is neither text nor number; turn its keys into strings"))
}

/// Methods for what is written as text, and read back from it.
macro_rules! as_text {
    ($($method:ident($type:ty);)*) => {
        $(fn $method(self, value: $type) -> Result<(), E> {
            self.serialize_str(&value.to_string())
        })*
    };
}

/// Methods for everything else.
macro_rules! refuse {
    ($($method:ident($($type:ty),*);)*) => {
        $(fn $method(self, $(_: $type),*) -> Result<(), E> { no_text() })*
    };
    ($($method:ident($($type:ty),*) -> $compound:ident;)*) => {
        $(fn $method(self, $(_: $type),*) -> Result<Self::$compound, E> { no_text() })*
    };
}

impl<E: Error> Serializer for Key<'_, '_, E> {
    type Ok = ();
    type Error = E;
    type SerializeSeq = Impossible<(), E>;
    type SerializeTuple = Impossible<(), E>;
    type SerializeTupleStruct = Impossible<(), E>;
    type SerializeTupleVariant = Impossible<(), E>;
    type SerializeMap = Impossible<(), E>;
    type SerializeStruct = Impossible<(), E>;
    type SerializeStructVariant = Impossible<(), E>;

    fn serialize_str(self, key: &str) -> Result<(), E> {
        self.keys.take(key, self.doubtful);
        Ok(())
    }

    fn serialize_char(self, key: char) -> Result<(), E> {
        self.serialize_str(key.encode_utf8(&mut [0; 4]))
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), E> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), E> {
        value.serialize(self)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), E> {
        value.serialize(self)
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<(), E> {
        self.serialize_str(&value.to_string())
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), E> {
        no_text()
    }

    as_text! {
        serialize_bool(bool);
        serialize_i8(i8);
        serialize_i16(i16);
        serialize_i32(i32);
        serialize_i64(i64);
        serialize_i128(i128);
        serialize_u8(u8);
        serialize_u16(u16);
        serialize_u32(u32);
        serialize_u64(u64);
        serialize_u128(u128);
    }

    refuse! {
        serialize_f32(f32);
        serialize_f64(f64);
        serialize_bytes(&[u8]);
        serialize_none();
        serialize_unit();
        serialize_unit_struct(&'static str);
    }

    refuse! {
        serialize_seq(Option<usize>) -> SerializeSeq;
        serialize_tuple(usize) -> SerializeTuple;
        serialize_tuple_struct(&'static str, usize) -> SerializeTupleStruct;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> SerializeTupleVariant;
        serialize_map(Option<usize>) -> SerializeMap;
        serialize_struct(&'static str, usize) -> SerializeStruct;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> SerializeStructVariant;
    }
}
