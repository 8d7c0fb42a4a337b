//! Answers as UCloud writes them, with its own field names, and only those that are used.
//!
//! `SSLContent` holds the private key next to the certificates. [`Content`] takes the certificates out of the text
//! while the parser still holds it, and keeps nothing else: no reading ever has the key. (What is kept for a
//! support bundle is cleaned before in `http/kept`.)
//! Every other text is a [`Loose`], which drops a text with a key in it.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::http::Shown;
use crate::provider::loose::{Loose, Row};
use crate::provider::x509::{self, Parsed};

/// What a support bundle may show of an answer: what a reading is made of. Of `SSLContent` the certificates; names and
/// messages are not.
pub(super) const SHOWN: Shown = Shown {
    words: &[
        "RetCode",
        "Action",
        "Region",
        "Zone",
        "ProjectId",
        "ProjectID",
        "ProjectCount",
        "TotalCount",
        "SSLId",
        "SSLType",
        "Domains",
        "NotBefore",
        "NotAfter",
        "LoadBalancerId",
        "ListenerId",
    ],
    certificates: &["SSLContent"],
};

/// What every answer begins with; `RetCode` comes as a number, from some products as text.
#[derive(Debug, Default, Deserialize)]
#[allow(missing_docs, non_snake_case)]
#[serde(default)]
pub(super) struct Head {
    pub RetCode: Loose,
    pub Message: Loose,
}

/// GetRegion: a row for each zone.
#[derive(Debug, Deserialize)]
#[allow(missing_docs, non_snake_case)]
pub(super) struct Regions {
    pub Regions: Vec<Row<Region>>,
}

/// A zone.
#[derive(Debug, Default, Deserialize)]
#[allow(missing_docs, non_snake_case)]
#[serde(default)]
pub(super) struct Region {
    pub Region: Loose,
}

/// GetProjectList.
#[derive(Debug, Deserialize)]
#[allow(missing_docs, non_snake_case)]
pub(super) struct Projects {
    /// How many there are; absent where the cloud does not say.
    #[serde(default)]
    pub ProjectCount: Loose,
    pub ProjectSet: Vec<Row<Project>>,
}

/// A project; the other API for projects spells the field `ProjectID`.
#[derive(Debug, Default, Deserialize)]
#[allow(missing_docs, non_snake_case)]
#[serde(default)]
pub(super) struct Project {
    #[serde(alias = "ProjectID")]
    pub ProjectId: Loose,
}

/// DescribeSSLV2. `TotalCount` is not trusted with anything but telling an empty list from a missing one.
#[derive(Debug, Default, Deserialize)]
#[allow(missing_docs, non_snake_case)]
#[serde(default)]
pub(super) struct Page {
    pub DataSet: Option<Vec<Row<Entry>>>,
    pub TotalCount: Loose,
}

/// One certificate entry.
#[derive(Debug, Default, Deserialize)]
#[allow(missing_docs, non_snake_case)]
#[serde(default)]
pub(super) struct Entry {
    pub SSLId: Loose,
    pub SSLName: Loose,
    pub SSLType: Loose,
    pub SSLContent: Content,
    pub Relations: Relations,
    /// The main name.
    pub Domains: Loose,
    /// Unix seconds by the documentation; 0 or absent for some.
    pub NotBefore: Loose,
    pub NotAfter: Loose,
}

/// A listener that uses a certificate.
#[derive(Debug, Default, Deserialize)]
#[allow(missing_docs, non_snake_case)]
#[serde(default)]
pub(super) struct Relation {
    pub LoadBalancerId: Loose,
    pub LoadBalancerName: Loose,
    pub ListenerId: Loose,
    pub ListenerName: Loose,
}

/// Where a certificate is used: null, absent and empty say the same.
#[derive(Debug, Default)]
pub(super) enum Relations {
    /// Nowhere.
    #[default]
    None,
    /// By these.
    Some(Vec<Row<Relation>>),
    /// Something that is no list.
    Odd,
}

impl<'de> Deserialize<'de> for Relations {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RelationsVisitor)
    }
}

struct RelationsVisitor;

impl<'de> Visitor<'de> for RelationsVisitor {
    type Value = Relations;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Relations, A::Error> {
        let mut rows = Vec::new();
        while let Some(row) = seq.next_element()? {
            rows.push(row);
        }
        Ok(if rows.is_empty() { Relations::None } else { Relations::Some(rows) })
    }

    fn visit_unit<E>(self) -> Result<Relations, E> {
        Ok(Relations::None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Relations, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Relations::Odd)
    }

    fn visit_str<E>(self, _: &str) -> Result<Relations, E> {
        Ok(Relations::Odd)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Relations, E> {
        Ok(Relations::Odd)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Relations, E> {
        Ok(Relations::Odd)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Relations, E> {
        Ok(Relations::Odd)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Relations, E> {
        Ok(Relations::Odd)
    }
}

/// The certificates that stood in `SSLContent`, in their order, and how many blocks could not be read.
#[derive(Default)]
pub(super) struct Content {
    certificates: Vec<Parsed>,
    broken: usize,
    found: Found,
}

/// What `SSLContent` was.
#[derive(Clone, Copy, Default)]
enum Found {
    #[default]
    Nothing,
    Text,
    Odd,
}

impl Content {
    /// The certificates that were read.
    pub(super) fn certificates(&self) -> &[Parsed] {
        &self.certificates
    }

    /// A certificate stood there that could not be read.
    pub(super) fn is_broken(&self) -> bool {
        self.broken > 0
    }

    /// What was found, in words that repeat nothing of it.
    pub(super) fn what_was_found(&self) -> &'static str {
        match self.found {
            Found::Nothing => "no content",
            Found::Odd => "a content that is no text",
            Found::Text if self.is_broken() => "a certificate that cannot be read",
            Found::Text => "a content without a certificate",
        }
    }

    /// Takes the certificates out; the text itself, and with it the private key, stays behind.
    fn of_text(text: &str) -> Self {
        if text.trim().is_empty() {
            return Self::default();
        }
        let mut content = Self { found: Found::Text, ..Self::default() };
        for block in x509::blocks(text) {
            match block {
                Ok(parsed) => content.certificates.push(parsed),
                Err(_) => content.broken += 1,
            }
        }
        content
    }

    fn odd() -> Self {
        Self { found: Found::Odd, ..Self::default() }
    }
}

impl fmt::Debug for Content {
    /// Nothing of what is in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Content(…)")
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ContentVisitor)
    }
}

struct ContentVisitor;

impl<'de> Visitor<'de> for ContentVisitor {
    type Value = Content;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_str<E>(self, text: &str) -> Result<Content, E> {
        Ok(Content::of_text(text))
    }

    fn visit_unit<E>(self) -> Result<Content, E> {
        Ok(Content::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Content, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Content::odd())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Content, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Content::odd())
    }

    fn visit_bool<E>(self, _: bool) -> Result<Content, E> {
        Ok(Content::odd())
    }

    fn visit_i64<E>(self, _: i64) -> Result<Content, E> {
        Ok(Content::odd())
    }

    fn visit_u64<E>(self, _: u64) -> Result<Content, E> {
        Ok(Content::odd())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Content, E> {
        Ok(Content::odd())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "-----BEGIN RSA PRIVATE KEY-----\\nPLANTED\\n-----END RSA PRIVATE KEY-----\\n";

    #[test]
    fn a_private_key_is_kept_nowhere() {
        let entry = |field: &str| format!(r#"{{"SSLId":"ssl-1","{field}":"x{KEY}"}}"#);
        for field in
            ["SSLContent", "SSLName", "SSLId", "SSLType", "Domains", "NotAfter", "NotBefore", "PrivateKey"]
        {
            let json = if field == "SSLId" { format!(r#"{{"SSLId":"{KEY}"}}"#) } else { entry(field) };
            let read: Entry = serde_json::from_str(&json).unwrap_or_else(|error| panic!("{field}: {error}"));
            assert!(!format!("{read:?}").contains("PLANTED"), "{field}: {read:?}");
        }
        let json = format!(r#"{{"Relations":[{{"ListenerName":"{KEY}","LoadBalancerId":"{KEY}"}}]}}"#);
        let read: Entry = serde_json::from_str(&json).unwrap();
        assert!(!format!("{read:?}").contains("PLANTED"));
        let json = format!(r#"{{"RetCode":171,"Message":"{KEY}"}}"#);
        let read: Head = serde_json::from_str(&json).unwrap();
        assert!(!format!("{read:?}").contains("PLANTED"));
    }

    #[test]
    fn null_absent_and_empty_relations_say_the_same() {
        let none =
            |json: &str| matches!(serde_json::from_str::<Entry>(json).unwrap().Relations, Relations::None);
        assert!(none(r#"{"Relations":null}"#) && none(r#"{"Relations":[]}"#) && none("{}"));
        let odd =
            |json: &str| matches!(serde_json::from_str::<Entry>(json).unwrap().Relations, Relations::Odd);
        assert!(
            odd(r#"{"Relations":"x"}"#) && odd(r#"{"Relations":{"a":[1]}}"#) && odd(r#"{"Relations":7}"#)
        );
    }

    #[test]
    fn content_of_any_type_is_read_and_named() {
        for (json, want) in [
            ("{}", "no content"),
            (r#"{"SSLContent":null}"#, "no content"),
            (r#"{"SSLContent":" \n"}"#, "no content"),
            (r#"{"SSLContent":"******"}"#, "a content without a certificate"),
            (
                r#"{"SSLContent":"-----BEGIN CERTIFICATE-----\n**\n-----END CERTIFICATE-----"}"#,
                "a certificate that cannot be read",
            ),
            (r#"{"SSLContent":["-----BEGIN CERTIFICATE-----"]}"#, "a content that is no text"),
            (r#"{"SSLContent":7}"#, "a content that is no text"),
        ] {
            let entry: Entry = serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"));
            assert_eq!(entry.SSLContent.what_was_found(), want, "{json}");
        }
    }
}
