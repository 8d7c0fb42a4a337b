//! Values as clouds really send them: numbers where texts are documented, the reverse, nothing, or something else.
//!
//! Wire structs of every cloud are made of these, so that one odd field costs itself and one odd row itself. What a
//! value means is said elsewhere. A text that holds a private key is dropped while it is read, wherever it stands.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::visible::holds_a_key;

/// A scalar that may come as text, number, boolean or not at all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Loose {
    /// Not there, or null.
    #[default]
    Absent,
    /// There.
    Text(String),
    /// There, but a list, an object, or a text with a private key in it.
    Odd,
}

impl Loose {
    /// The text, unless it is absent, empty or a placeholder for nothing (`-`).
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text.trim()).filter(|text| !text.is_empty() && *text != "-"),
            Self::Absent | Self::Odd => None,
        }
    }

    /// A text that a cloud wrote, unless a private key stands in it.
    fn of_text(text: &str) -> Self {
        if holds_a_key(text) { Self::Odd } else { Self::Text(text.to_owned()) }
    }

    /// A whole number that is not negative.
    pub fn number(&self) -> Option<usize> {
        self.text()?.parse().ok()
    }
}

impl<'de> Deserialize<'de> for Loose {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LooseVisitor)
    }
}

struct LooseVisitor;

impl<'de> Visitor<'de> for LooseVisitor {
    type Value = Loose;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_str<E>(self, value: &str) -> Result<Loose, E> {
        Ok(Loose::of_text(value))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Loose, E> {
        Ok(Loose::Text(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Loose, E> {
        Ok(Loose::Text(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Loose, E> {
        Ok(Loose::Text(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Loose, E> {
        Ok(Loose::Text(value.to_string()))
    }

    fn visit_unit<E>(self) -> Result<Loose, E> {
        Ok(Loose::Absent)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Loose, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Loose::Odd)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Loose, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Loose::Odd)
    }
}

/// A row that is read on its own, so that one odd row does not cost the whole page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row<T> {
    /// Understood.
    Read(T),
    /// Not an object.
    Odd,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Row<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RowVisitor(std::marker::PhantomData))
    }
}

struct RowVisitor<T>(std::marker::PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for RowVisitor<T> {
    type Value = Row<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Row<T>, A::Error> {
        T::deserialize(serde::de::value::MapAccessDeserializer::new(map)).map(Row::Read)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Row<T>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Row::Odd)
    }

    fn visit_str<E>(self, _: &str) -> Result<Row<T>, E> {
        Ok(Row::Odd)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Row<T>, E> {
        Ok(Row::Odd)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Row<T>, E> {
        Ok(Row::Odd)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Row<T>, E> {
        Ok(Row::Odd)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Row<T>, E> {
        Ok(Row::Odd)
    }

    fn visit_unit<E>(self) -> Result<Row<T>, E> {
        Ok(Row::Odd)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_are_read_whatever_their_type() {
        let text = |json: &str| {
            serde_json::from_str::<Loose>(json).map(|loose| loose.text().map(str::to_owned)).ok()
        };
        for (json, want) in [
            (r#""1.1""#, Some("1.1")),
            ("1.1", Some("1.1")),
            ("1", Some("1")),
            ("true", Some("true")),
            ("null", None),
            (r#""""#, None),
            (r#"" - ""#, None),
            ("[1,2]", None),
            (r#"{"a":{"b":[]}}"#, None),
            (r#""-----BEGIN RSA PRIVATE KEY-----\nMII""#, None),
        ] {
            assert_eq!(text(json), Some(want.map(str::to_owned)), "{json}");
        }
    }
}
