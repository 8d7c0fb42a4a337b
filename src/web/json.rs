//! JSON as it leaves the house.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::visible::visible_json;

/// The answer of every list.
#[derive(Debug, Serialize, Deserialize)]
pub struct List<T> {
    /// In the order that was asked for.
    pub items: Vec<T>,
    /// Given back as `cursor`, it continues behind the last item; `None` at the end.
    pub next: Option<String>,
}

/// A moment, written as RFC 3339 in UTC with whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment(pub DateTime<Utc>);

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0.to_rfc3339_opts(SecondsFormat::Secs, true))
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        DateTime::deserialize(deserializer).map(Self)
    }
}

/// A value as text. Characters that cannot be seen are written as escapes: for a program the text is the same, and a
/// terminal into which somebody pipes it is not driven by the name of a database.
pub fn to_text(value: &impl Serialize) -> String {
    visible_json(
        serde_json::to_string(value).expect("own structs with text keys always serialize into memory"),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::testing::moment;

    #[test]
    fn invisible_characters_are_escapes() {
        let text = "a\u{202e}b\n\u{7f}\"<\u{e0041}订";
        let json = to_text(&text);
        assert_eq!(json, r#""a\u202eb\n\u007f\"<\udb40\udc41订""#);
    }

    #[test]
    fn moments_are_utc_with_whole_seconds() {
        let json = to_text(&Moment(moment() + chrono::TimeDelta::milliseconds(400)));
        assert_eq!(json, r#""2026-11-22T08:00:00Z""#);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn every_text_is_read_back_as_it_was(text in any::<String>()) {
            let read: String = serde_json::from_str(&to_text(&text)).unwrap();
            prop_assert_eq!(read, text);
        }
    }
}
