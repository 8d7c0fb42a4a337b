//! JSON as it leaves the house.

use std::io;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Serialize, Serializer};
use serde_json::ser::{CompactFormatter, Formatter};

use super::visible::is_invisible;

/// The answer of every list.
#[derive(Debug, Serialize)]
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

/// The bytes of a value. Characters that cannot be seen are written as escapes: for a program the text is the same,
/// and a terminal into which somebody pipes it is not driven by the name of a database.
pub fn to_bytes(value: &impl Serialize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(16 * 1024);
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, Careful);
    value.serialize(&mut serializer).expect("own structs with text keys always serialize into memory");
    bytes
}

struct Careful;

impl Formatter for Careful {
    fn write_string_fragment<W>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()>
    where
        W: ?Sized + io::Write,
    {
        // serde_json has dealt with the ASCII controls already, but for DEL
        if fragment.is_ascii() && !fragment.contains('\u{7f}') {
            return CompactFormatter.write_string_fragment(writer, fragment);
        }
        let mut written = 0;
        for (at, character) in fragment.char_indices().filter(|(_, character)| is_invisible(*character)) {
            writer.write_all(&fragment.as_bytes()[written..at])?;
            written = at + character.len_utf8();
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
        }
        writer.write_all(&fragment.as_bytes()[written..])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::testing::moment;

    #[test]
    fn invisible_characters_are_escapes() {
        let text = "a\u{202e}b\n\u{7f}\"<\u{e0041}订";
        let json = String::from_utf8(to_bytes(&text)).unwrap();
        assert_eq!(json, r#""a\u202eb\n\u007f\"<\udb40\udc41订""#);
    }

    #[test]
    fn moments_are_utc_with_whole_seconds() {
        let json = to_bytes(&Moment(moment() + chrono::TimeDelta::milliseconds(400)));
        assert_eq!(json, br#""2026-11-22T08:00:00Z""#);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn every_text_is_read_back_as_it_was(text in any::<String>()) {
            let read: String = serde_json::from_slice(&to_bytes(&text)).unwrap();
            prop_assert_eq!(read, text);
        }
    }
}
