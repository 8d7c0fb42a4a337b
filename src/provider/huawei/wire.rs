//! Answers as Huawei Cloud writes them, with its own field names; only fields that are used are named here.
//!
//! The vendor's own examples break the documented types (objects for texts, numbers for texts, nulls), so every
//! scalar is [`Loose`] and every row stands for itself.

#![allow(clippy::struct_field_names)] // the names are the cloud's

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer};
use serde_json::Value;

use super::action;
use crate::http::Shown;
use crate::visible::holds_a_key;

/// What a support bundle may show of an answer to this call: what a reading is made of. Names of instances, tags, messages
/// and links are not.
pub(super) fn shown(action: &str) -> &'static Shown {
    match action {
        // here a name is that of a region
        action::PROJECTS => &PROJECTS,
        action::LIST | action::SSL => &INSTANCES,
        _ => &ERRORS,
    }
}

const PROJECTS: Shown = Shown {
    words: &["id", "name", "parent_id", "enabled", "is_domain", "error_code", "code"],
    certificates: &[],
};
const INSTANCES: Shown = Shown {
    words: &[
        "instance_num",
        "instance_id",
        "status",
        "engine",
        "engine_version",
        "support_ssl",
        "enabled",
        "ssl_expired_at",
        "ssl_validated",
        "error_code",
        "code",
    ],
    certificates: &[],
};
const ERRORS: Shown = Shown { words: &["error_code", "code"], certificates: &[] };

/// A scalar that may come as text, number, boolean or not at all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Loose {
    /// Not there.
    #[default]
    Absent,
    /// There, and null.
    Null,
    /// There.
    Text(String),
    /// There, but a list, an object, or a text with a private key in it.
    Odd,
}

impl Loose {
    /// The text, unless it is absent or empty.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text.trim()).filter(|text| !text.is_empty()),
            Self::Absent | Self::Null | Self::Odd => None,
        }
    }

    /// A whole number that is not negative.
    pub(super) fn number(&self) -> Option<usize> {
        self.text()?.parse().ok()
    }

    /// Yes or no.
    pub(super) fn flag(&self) -> Option<bool> {
        match self.text()?.to_ascii_lowercase().as_str() {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for Loose {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Value::deserialize(deserializer)? {
            Value::Null => Self::Null,
            Value::Bool(yes) => Self::Text(yes.to_string()),
            Value::Number(number) => Self::Text(number.to_string()),
            Value::String(text) if holds_a_key(&text) => Self::Odd,
            Value::String(text) => Self::Text(text),
            Value::Array(_) | Value::Object(_) => Self::Odd,
        })
    }
}

/// An object that is read on its own, so that an odd one does not cost what is around it.
///
/// Only an object counts: a derived reader would take a list for one whose fields are all absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Row<T> {
    /// Understood.
    Read(T),
    /// Not an object, or not there.
    #[default]
    Odd,
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Row<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let read = if value.is_object() { T::deserialize(value).ok() } else { None };
        Ok(read.map_or(Self::Odd, Self::Read))
    }
}

/// A list of rows; anything else counts as not there.
#[derive(Debug, Clone, Default)]
pub(super) struct Rows<T>(Option<Vec<Row<T>>>);

impl<'de, T: DeserializeOwned> Deserialize<'de> for Rows<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Ok(Self(if value.is_array() { Vec::deserialize(value).ok() } else { None }))
    }
}

impl<T> Rows<T> {
    /// The list was there, be it empty.
    pub(super) fn is_present(&self) -> bool {
        self.0.is_some()
    }

    /// No row is there.
    pub(super) fn is_empty(&self) -> bool {
        self.0.as_ref().is_none_or(Vec::is_empty)
    }

    /// The rows, and how many of them were odd.
    pub(super) fn into_rows(self) -> (Vec<T>, usize) {
        let all = self.0.unwrap_or_default();
        let count = all.len();
        let read: Vec<T> = all
            .into_iter()
            .filter_map(|row| match row {
                Row::Read(row) => Some(row),
                Row::Odd => None,
            })
            .collect();
        let odd = count - read.len();
        (read, odd)
    }
}

/// `GET /v3/auth/projects`: what the key may use.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Projects {
    /// The rows.
    pub(super) projects: Rows<Project>,
}

/// A project: a region, or a part of one.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Project {
    pub(super) id: Loose,
    /// The region's id, or `{region}_{name}` for a part of one; `MOS` belongs to object storage.
    pub(super) name: Loose,
    /// The account, or the project of the region.
    pub(super) parent_id: Loose,
    pub(super) enabled: Loose,
    pub(super) is_domain: Loose,
}

/// `GET /v2/{project}/instances`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Page {
    /// All of them or those of this page: the documentation does not say.
    pub(super) instance_num: Loose,
    /// The rows.
    pub(super) instances: Rows<Instance>,
}

/// One row of a listing.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Instance {
    pub(super) instance_id: Loose,
    pub(super) name: Loose,
    pub(super) status: Loose,
    /// `Redis` or `Memcached`.
    pub(super) engine: Loose,
    pub(super) engine_version: Loose,
    pub(super) features: Row<Features>,
    pub(super) tags: Rows<Tag>,
}

/// What an instance can do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Features {
    /// Whether it can have TLS at all.
    pub(super) support_ssl: Loose,
}

/// A tag.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Tag {
    pub(super) key: Loose,
    pub(super) value: Loose,
}

/// `GET …/ssl`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Ssl {
    /// Documented as there only when TLS is on.
    pub(super) enabled: Loose,
    /// UTC with milliseconds; of which certificate is not said.
    pub(super) ssl_expired_at: Loose,
    /// Whether the certificate is valid.
    pub(super) ssl_validated: Loose,
}

/// `POST …/ssl-certs/download`.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Download {
    /// Where the archive waits; signed, and so a secret. That is why this has no `Debug` form.
    pub(super) link: Loose,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_are_read_whatever_their_type() {
        for (json, want) in [
            (r#""6.0""#, Some("6.0")),
            ("6.0", Some("6.0")),
            ("true", Some("true")),
            ("null", None),
            (r#"" ""#, None),
            (r#""-----BEGIN PRIVATE KEY-----\nMII""#, None),
            ("[1]", None),
            ("{}", None),
        ] {
            let loose: Loose = serde_json::from_str(json).expect(json);
            assert_eq!(loose.text(), want, "{json}");
        }
        assert_eq!(Loose::Text("False".into()).flag(), Some(false));
        assert_eq!(Loose::Text("1".into()).flag(), None);
    }

    #[test]
    fn an_odd_row_or_field_costs_nothing_else() {
        let json = r#"{"instance_num":"4","instances":[{"instance_id":"a","features":[],"tags":{},"publicip_id":{}},
            null, 7, {"instance_id":{},"features":{"support_ssl":"true"},"tags":[{"key":1,"value":null},null]}]}"#;
        let page: Page = serde_json::from_str(json).expect("readable");
        let (mut rows, odd) = page.instances.into_rows();
        assert_eq!((rows.len(), odd, page.instance_num.number()), (2, 2, Some(4)));
        assert_eq!((rows[0].instance_id.text(), &rows[0].features), (Some("a"), &Row::Odd));
        let second = rows.remove(1);
        assert_eq!(second.instance_id, Loose::Odd);
        assert!(matches!(&second.features, Row::Read(features) if features.support_ssl.flag() == Some(true)));
        assert_eq!(second.tags.into_rows().0[0].key.text(), Some("1"));
    }

    #[test]
    fn a_list_that_is_not_there_is_not_an_empty_one() {
        let present =
            |json: &str| serde_json::from_str::<Page>(json).map(|page| page.instances.is_present()).ok();
        for (json, want) in [
            (r#"{"instances":[]}"#, true),
            (r#"{"instances":{}}"#, false),
            (r#"{"instances":null}"#, false),
            ("{}", false),
        ] {
            assert_eq!(present(json), Some(want), "{json}");
        }
    }
}
