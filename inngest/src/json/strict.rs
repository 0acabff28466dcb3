//! A serializer around another one that lets only pass what the server can keep.

use std::cell::Cell;
use std::fmt::Display;

use serde::ser::{self, Error as _, Serialize, Serializer};

use super::MAX_DEPTH;
use super::key::Keys;

/// The largest integer up to which an IEEE double, and so canonical JSON, distinguishes all integers.
pub(super) const MAX_INTEGER: u64 = 1 << 53;

pub(super) fn inexact(value: impl Display) -> String {
    format!("the integer {value} is beyond 2^53 and would come back altered; write it as a string")
}

pub(super) fn repeated(key: &str) -> String {
    format!("the key `{key}` occurs twice in one object")
}

/// What `serde_json` calls a value that holds JSON text or the digits of a number.
const TEXT_INSIDE: [&str; 2] = ["$serde_json::private::RawValue", "$serde_json::private::Number"];

/// What is noted while a value is written.
#[derive(Default)]
pub(super) struct Noted {
    /// The text must be read again.
    pub(super) doubtful: Cell<bool>,
    depth: Cell<usize>,
}

impl Noted {
    /// Whether the value was given up because it nests too deeply.
    pub(super) fn too_deep(&self) -> bool {
        self.depth.get() > MAX_DEPTH
    }

    /// Begins `levels` of nesting. Not one too many: a value could nest so deeply that to write it would take all of
    /// the stack.
    fn enter<E: ser::Error>(&self, levels: usize) -> Result<(), E> {
        self.depth.set(self.depth.get() + levels);
        if self.too_deep() { Err(E::custom("too deep")) } else { Ok(()) }
    }

    fn leave(&self, levels: usize) {
        self.depth.set(self.depth.get().saturating_sub(levels));
    }
}

/// A value that is checked while it is written.
pub(super) struct Checked<'v, 'c, T: ?Sized> {
    value: &'v T,
    noted: &'c Noted,
}

impl<'v, 'c, T: ?Sized> Checked<'v, 'c, T> {
    pub(super) fn new(value: &'v T, noted: &'c Noted) -> Self {
        Self { value, noted }
    }
}

impl<T: Serialize + ?Sized> Serialize for Checked<'_, '_, T> {
    fn serialize<S: Serializer>(&self, inner: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(Strict { inner, noted: self.noted })
    }
}

struct Strict<'c, S> {
    inner: S,
    noted: &'c Noted,
}

impl<'c, S: Serializer> Strict<'c, S> {
    /// A list, map or struct that begins with so many brackets.
    fn compound<C>(
        self,
        levels: usize,
        begin: impl FnOnce(S) -> Result<C, S::Error>,
    ) -> Result<Compound<'c, C>, S::Error> {
        self.noted.enter(levels)?;
        let inner = begin(self.inner)?;
        Ok(Compound { inner, noted: self.noted, keys: Keys::default(), levels })
    }
}

macro_rules! pass {
    ($($method:ident($($name:ident: $type:ty),*);)*) => {
        $(fn $method(self, $($name: $type),*) -> Result<S::Ok, S::Error> {
            self.inner.$method($($name),*)
        })*
    };
}

macro_rules! integers {
    ($($method:ident($type:ty);)*) => {
        $(fn $method(self, value: $type) -> Result<S::Ok, S::Error> {
            if u64::try_from(value.abs_diff(0)).is_ok_and(|size| size <= MAX_INTEGER) {
                self.inner.$method(value)
            } else {
                Err(S::Error::custom(inexact(value)))
            }
        })*
    };
}

macro_rules! floats {
    ($($method:ident($type:ty);)*) => {
        $(fn $method(self, value: $type) -> Result<S::Ok, S::Error> {
            // They would be written as `null`, which is another value (T33).
            if value.is_finite() {
                self.inner.$method(value)
            } else {
                Err(S::Error::custom(format_args!("the number {value} does not exist in JSON")))
            }
        })*
    };
}

macro_rules! compounds {
    ($($levels:literal $method:ident($($name:ident: $type:ty),*) -> $compound:ident;)*) => {
        $(fn $method(self, $($name: $type),*) -> Result<Self::$compound, S::Error> {
            self.compound($levels, |inner| inner.$method($($name),*))
        })*
    };
}

impl<'c, S: Serializer> Serializer for Strict<'c, S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Compound<'c, S::SerializeSeq>;
    type SerializeTuple = Compound<'c, S::SerializeTuple>;
    type SerializeTupleStruct = Compound<'c, S::SerializeTupleStruct>;
    type SerializeTupleVariant = Compound<'c, S::SerializeTupleVariant>;
    type SerializeMap = Compound<'c, S::SerializeMap>;
    type SerializeStruct = Compound<'c, S::SerializeStruct>;
    type SerializeStructVariant = Compound<'c, S::SerializeStructVariant>;

    integers! {
        serialize_i64(i64);
        serialize_u64(u64);
        serialize_i128(i128);
        serialize_u128(u128);
    }

    floats! {
        serialize_f32(f32);
        serialize_f64(f64);
    }

    pass! {
        serialize_bool(value: bool);
        serialize_i8(value: i8);
        serialize_i16(value: i16);
        serialize_i32(value: i32);
        serialize_u8(value: u8);
        serialize_u16(value: u16);
        serialize_u32(value: u32);
        serialize_char(value: char);
        serialize_str(value: &str);
        serialize_bytes(value: &[u8]);
        serialize_none();
        serialize_unit();
        serialize_unit_struct(name: &'static str);
        serialize_unit_variant(name: &'static str, index: u32, variant: &'static str);
    }

    compounds! {
        1 serialize_seq(len: Option<usize>) -> SerializeSeq;
        1 serialize_tuple(len: usize) -> SerializeTuple;
        1 serialize_tuple_struct(name: &'static str, len: usize) -> SerializeTupleStruct;
        2 serialize_tuple_variant(name: &'static str, index: u32, variant: &'static str, len: usize) -> SerializeTupleVariant;
        1 serialize_map(len: Option<usize>) -> SerializeMap;
        2 serialize_struct_variant(name: &'static str, index: u32, variant: &'static str, len: usize) -> SerializeStructVariant;
    }

    fn serialize_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStruct, S::Error> {
        // The levels of such text are counted when it is read again.
        let is_text = TEXT_INSIDE.contains(&name);
        if is_text {
            self.noted.doubtful.set(true);
        }
        self.compound(usize::from(!is_text), |inner| inner.serialize_struct(name, len))
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.inner.serialize_some(&Checked::new(value, self.noted))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        self.inner.serialize_newtype_struct(name, &Checked::new(value, self.noted))
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        self.noted.enter(1)?;
        let value = Checked::new(value, self.noted);
        let written = self.inner.serialize_newtype_variant(name, index, variant, &value)?;
        self.noted.leave(1);
        Ok(written)
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.inner.collect_str(value)
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

/// A list, map or struct under way.
struct Compound<'c, C> {
    inner: C,
    noted: &'c Noted,
    keys: Keys,
    levels: usize,
}

macro_rules! lists {
    ($($trait:ident::$method:ident;)*) => {
        $(impl<C: ser::$trait> ser::$trait for Compound<'_, C> {
            type Ok = C::Ok;
            type Error = C::Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
                self.inner.$method(&Checked::new(value, self.noted))
            }

            fn end(self) -> Result<C::Ok, C::Error> {
                self.noted.leave(self.levels);
                self.inner.end()
            }
        })*
    };
}

lists! {
    SerializeSeq::serialize_element;
    SerializeTuple::serialize_element;
    SerializeTupleStruct::serialize_field;
    SerializeTupleVariant::serialize_field;
}

/// The fields of a struct have different names, the compiler sees to that.
macro_rules! structs {
    ($($trait:ident),*) => {
        $(impl<C: ser::$trait> ser::$trait for Compound<'_, C> {
            type Ok = C::Ok;
            type Error = C::Error;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                key: &'static str,
                value: &T,
            ) -> Result<(), C::Error> {
                self.inner.serialize_field(key, &Checked::new(value, self.noted))
            }

            fn skip_field(&mut self, key: &'static str) -> Result<(), C::Error> {
                self.inner.skip_field(key)
            }

            fn end(self) -> Result<C::Ok, C::Error> {
                self.noted.leave(self.levels);
                self.inner.end()
            }
        })*
    };
}

structs!(SerializeStruct, SerializeStructVariant);

impl<C: ser::SerializeMap> ser::SerializeMap for Compound<'_, C> {
    type Ok = C::Ok;
    type Error = C::Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), C::Error> {
        self.keys.next(key, &self.noted.doubtful)?;
        self.inner.serialize_key(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
        self.inner.serialize_value(&Checked::new(value, self.noted))
    }

    fn end(self) -> Result<C::Ok, C::Error> {
        self.noted.leave(self.levels);
        self.inner.end()
    }
}
