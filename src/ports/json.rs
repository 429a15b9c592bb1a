//! Reading JSON. A text becomes a tree, by the one parser that the program holds, and types are read from the tree.
//! `serde_json` would bring a parser of its own for each type, with whatever a type might be written as: half of what
//! reading cost the Worker. Objects are read as objects alone, lists as lists.

use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error as _, Expected, MapAccess, SeqAccess,
    Unexpected, VariantAccess, Visitor,
};
use serde_json::{Error, Map, Number, Value};

/// The tree of a text.
///
/// # Errors
/// Where and why it is not JSON.
pub fn tree(text: impl AsRef<[u8]>) -> Result<Value, Error> {
    fn parsed(text: &[u8]) -> Result<Value, Error> {
        serde_json::from_slice(text)
    }
    parsed(text.as_ref())
}

/// What a text holds.
///
/// # Errors
/// Why it is not that, in words that may quote the text.
pub fn read<T: DeserializeOwned>(text: impl AsRef<[u8]>) -> Result<T, Error> {
    of_tree(tree(text)?)
}

/// What a tree holds.
///
/// # Errors
/// Why it is not that, in words that may quote it.
pub fn of_tree<T: DeserializeOwned>(tree: Value) -> Result<T, Error> {
    T::deserialize(Tree(tree))
}

struct Tree(Value);

fn wrong(found: &Value, expected: &dyn Expected) -> Error {
    let found = match found {
        Value::Null => Unexpected::Unit,
        Value::Bool(value) => Unexpected::Bool(*value),
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => Unexpected::Unsigned(number),
            (_, Some(number)) => Unexpected::Signed(number),
            _ => Unexpected::Float(number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => Unexpected::Str(text),
        Value::Array(_) => Unexpected::Seq,
        Value::Object(_) => Unexpected::Map,
    };
    Error::invalid_type(found, expected)
}

impl Tree {
    fn number(&self, expected: &dyn Expected) -> Result<&Number, Error> {
        match &self.0 {
            Value::Number(number) => Ok(number),
            other => Err(wrong(other, expected)),
        }
    }

    fn string(self, expected: &dyn Expected) -> Result<String, Error> {
        match self.0 {
            Value::String(text) => Ok(text),
            other => Err(wrong(&other, expected)),
        }
    }

    fn members(self, expected: &dyn Expected) -> Result<Members, Error> {
        match self.0 {
            Value::Object(members) => Ok(Members {
                rest: members.into_iter(),
                value: Value::Null,
            }),
            other => Err(wrong(&other, expected)),
        }
    }

    fn items(self, expected: &dyn Expected) -> Result<Items, Error> {
        match self.0 {
            Value::Array(items) => Ok(Items(items.into_iter())),
            other => Err(wrong(&other, expected)),
        }
    }
}

/// The whole numbers: what is negative only where it has to be.
macro_rules! whole {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            let number = self.number(&visitor)?;
            match (number.as_u64(), number.as_i64()) {
                (Some(number), _) => visitor.visit_u64(number),
                (_, Some(number)) => visitor.visit_i64(number),
                _ => Err(wrong(&self.0, &visitor)),
            }
        })*
    };
}

impl<'de> Deserializer<'de> for Tree {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(value),
            Value::Number(number) => match (number.as_u64(), number.as_i64()) {
                (Some(number), _) => visitor.visit_u64(number),
                (_, Some(number)) => visitor.visit_i64(number),
                _ => visitor.visit_f64(number.as_f64().unwrap_or_default()),
            },
            Value::String(text) => visitor.visit_string(text),
            Value::Array(items) => visitor.visit_seq(Items(items.into_iter())),
            Value::Object(members) => visitor.visit_map(Members {
                rest: members.into_iter(),
                value: Value::Null,
            }),
        }
    }

    whole! { deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 }
    whole! { deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let number = self.number(&visitor)?.as_f64().unwrap_or_default();
        visitor.visit_f64(number)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Bool(value) => visitor.visit_bool(value),
            other => Err(wrong(&other, &visitor)),
        }
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_string(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_string(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let text = self.string(&visitor)?;
        visitor.visit_string(text)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_string(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_string(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            other => Err(wrong(&other, &visitor)),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let items = self.items(&visitor)?;
        visitor.visit_seq(items)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, Error> {
        let items = self.items(&visitor)?;
        if items.0.len() != length {
            return Err(Error::invalid_length(items.0.len(), &visitor));
        }
        visitor.visit_seq(items)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_tuple(length, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let members = self.members(&visitor)?;
        visitor.visit_map(members)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let (name, value) = named(self.0)?;
        visitor.visit_enum(Variant { name, value })
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let text = self.string(&visitor)?;
        visitor.visit_str(&text)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }
}

/// A variant by its name, alone or with what it holds.
fn named(value: Value) -> Result<(String, Option<Value>), Error> {
    let expected = "the name of a variant, or an object of one member named like it";
    match value {
        Value::String(name) => Ok((name, None)),
        Value::Object(members) if members.len() == 1 => members
            .into_iter()
            .next()
            .map(|(name, value)| (name, Some(value)))
            .ok_or_else(|| Error::custom(expected)),
        other => Err(wrong(&other, &expected)),
    }
}

struct Items(std::vec::IntoIter<Value>);

impl<'de> SeqAccess<'de> for Items {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        self.0.next().map(|item| seed.deserialize(Tree(item))).transpose()
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.0.len())
    }
}

struct Members {
    rest: <Map<String, Value> as IntoIterator>::IntoIter,
    value: Value,
}

impl<'de> MapAccess<'de> for Members {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let Some((name, value)) = self.rest.next() else {
            return Ok(None);
        };
        self.value = value;
        seed.deserialize(Tree(Value::String(name))).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        seed.deserialize(Tree(self.value.take()))
    }
}

struct Variant {
    name: String,
    value: Option<Value>,
}

impl<'de> EnumAccess<'de> for Variant {
    type Error = Error;
    type Variant = Held;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Held), Error> {
        let name = seed.deserialize(Tree(Value::String(self.name)))?;
        Ok((name, Held(self.value)))
    }
}

/// What a variant holds.
struct Held(Option<Value>);

impl<'de> VariantAccess<'de> for Held {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        match self.0 {
            None | Some(Value::Null) => Ok(()),
            Some(other) => Err(wrong(&other, &"nothing")),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(Tree(self.0.unwrap_or_default()))
    }

    fn tuple_variant<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, Error> {
        Tree(self.0.unwrap_or_default()).deserialize_tuple(length, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, Error> {
        Tree(self.0.unwrap_or_default()).deserialize_map(visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde::{Deserialize, Serialize};
    use std::collections::BTreeMap;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    enum Kind {
        Alone,
        Holding(String),
        Pair(i8, bool),
        Named { at: Option<u64> },
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(tag = "type", rename_all = "snake_case")]
    enum Tagged {
        Empty {},
        Full { kind: Kind },
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Newtype(i64);

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Whole {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        perhaps: Option<Option<Newtype>>,
        text: String,
        letter: char,
        share: f64,
        kinds: Vec<Kind>,
        tagged: Tagged,
        named: BTreeMap<String, (u8, Vec<Newtype>)>,
        anything: Value,
        nothing: (),
    }

    fn kind() -> impl Strategy<Value = Kind> {
        prop_oneof![
            Just(Kind::Alone),
            any::<String>().prop_map(Kind::Holding),
            any::<(i8, bool)>().prop_map(|(number, is)| Kind::Pair(number, is)),
            any::<Option<u64>>().prop_map(|at| Kind::Named { at }),
        ]
    }

    fn whole() -> impl Strategy<Value = Whole> {
        let tagged = prop_oneof![Just(Tagged::Empty {}), kind().prop_map(|kind| Tagged::Full { kind })];
        let numbers = prop::collection::vec(any::<i64>().prop_map(Newtype), 0..3);
        let named = prop::collection::btree_map(any::<String>(), (any::<u8>(), numbers), 0..3);
        let perhaps = any::<Option<i64>>().prop_map(|number| number.map(|number| Some(Newtype(number))));
        let kinds = prop::collection::vec(kind(), 0..4);
        (
            perhaps,
            any::<String>(),
            any::<char>(),
            any::<i32>(),
            kinds,
            tagged,
            named,
        )
            .prop_map(|(perhaps, text, letter, share, kinds, tagged, named)| Whole {
                perhaps,
                text,
                letter,
                // More digits than these `serde_json` rounds, too.
                share: f64::from(share) / 8.0,
                kinds,
                tagged,
                named,
                anything: serde_json::json!({ "a": [null, 1.5, -1, true] }),
                nothing: (),
            })
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(whole in whole()) {
            let text = serde_json::to_string(&whole).unwrap();
            prop_assert_eq!(read::<Whole>(&text).unwrap(), whole);
        }

        /// Cut or with a value of another kind in it, a text is refused wherever `serde_json` refuses it.
        #[test]
        fn what_is_wrong_is_refused(whole in whole(), at in any::<prop::sample::Index>(), other in 0..5_usize) {
            let mut tree = serde_json::to_value(&whole).unwrap();
            let members = tree.as_object_mut().unwrap();
            let name = members.keys().nth(at.index(members.len())).unwrap().clone();
            let others = [Value::Null, 7.into(), "text".into(), serde_json::json!([1]), serde_json::json!({ "a": 1 })];
            members.insert(name, others[other].clone());
            let text = tree.to_string();
            let (ours, theirs) = (read::<Whole>(&text), serde_json::from_str::<Whole>(&text));
            prop_assert_eq!(ours.is_ok(), theirs.is_ok(), "{:?} {:?}", ours, theirs);
            prop_assert!(read::<Whole>(&text[..text.len() - 1]).is_err());
        }
    }

    /// Structs are never read from lists: `serde_json` takes their fields in the order of the source.
    #[test]
    fn a_list_is_no_object() {
        #[derive(Debug, Deserialize)]
        struct Place {
            #[allow(dead_code, reason = "it is only read")]
            row: u8,
        }
        assert!(read::<Place>("[1]").is_err() && read::<Place>(r#"{"row":1}"#).is_ok());
        assert!(serde_json::from_str::<Place>("[1]").is_ok());
        assert!(read::<(u8, u8)>("[1, 2, 3]").is_err());
        assert!(read::<u8>("256").is_err() && read::<u64>("-1").is_err() && read::<i64>("1.5").is_err());
    }
}
