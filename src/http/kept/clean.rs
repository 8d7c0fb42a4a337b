//! Takes out of an answer whatever could be a secret. Nothing is searched for: what is not known to be harmless goes.
//!
//! - Objects and lists keep their form; a name that does not look like the name of a field is replaced.
//! - Yes, no and null stay. Numbers and texts stay in fields that are named in [`Shown`]; elsewhere each digit becomes 1 and
//!   each character a star, so that type and length remain.
//! - Even there a text stays only if it is short, made of the characters of ids, dates and hosts, no address, no long
//!   mixture as keys are, and holds nothing of what the call was signed with.
//! - Of a field with certificates only what is read as a certificate, and nothing else, is written anew.

use std::collections::BTreeMap;

use reqwest::header::HeaderMap;
use serde_json::{Map, Number, Value};

use super::{Keeping, pem};
use crate::visible::holds_a_key;

/// Ids, hosts and dates are shorter.
const LONGEST_WORD: usize = 128;
/// Names of fields are shorter.
const LONGEST_NAME: usize = 40;
/// Placeholders are no longer than this, however long the text was.
const LONGEST_STARS: usize = 256;
/// From this length on letters of both cases and digits without a break are taken for a key.
const MIXTURE: usize = 20;
/// Parts of keys that are shorter would be found everywhere.
const SHORTEST_SECRET: usize = 4;
/// Headers that readings look at.
const HEADERS: [&str; 3] = ["content-type", "date", "retry-after"];

/// The same with the secrets removed.
pub(super) fn cleaned(value: Value, keeping: Keeping<'_>) -> Value {
    clean(value, Field::Unknown, keeping)
}

/// The same with so many rows in each list at most.
pub(super) fn shortened(value: Value, rows: usize) -> Value {
    match value {
        Value::Array(list) => list.into_iter().take(rows).map(|row| shortened(row, rows)).collect(),
        Value::Object(map) => map.into_iter().map(|(name, value)| (name, shortened(value, rows))).collect(),
        scalar => scalar,
    }
}

/// The headers that readings look at.
pub(super) fn headers(headers: &HeaderMap, keeping: Keeping<'_>) -> BTreeMap<String, String> {
    let kept = HEADERS.into_iter().filter_map(|name| {
        let text = headers.get(name)?.to_str().ok()?;
        let text = text.split(';').next().unwrap_or_default().trim();
        is_harmless(text, keeping).then(|| (name.to_owned(), text.to_owned()))
    });
    kept.collect()
}

/// What is known of the field in which a value stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Field {
    Unknown,
    Word,
    Certificates,
}

impl Field {
    fn of(name: &str, keeping: Keeping<'_>) -> Self {
        match () {
            () if keeping.shown.words.contains(&name) => Self::Word,
            () if keeping.shown.certificates.contains(&name) => Self::Certificates,
            () => Self::Unknown,
        }
    }
}

fn clean(value: Value, field: Field, keeping: Keeping<'_>) -> Value {
    match value {
        Value::Null | Value::Bool(_) => value,
        Value::Number(number) if field == Field::Word && is_harmless(&number.to_string(), keeping) => {
            Value::Number(number)
        }
        Value::Number(number) => ones(&number),
        Value::String(text) => Value::String(match field {
            Field::Word if is_harmless(&text, keeping) => text,
            Field::Certificates => pem::certificates(&text).unwrap_or_else(|| stars(&text)),
            Field::Word | Field::Unknown => stars(&text),
        }),
        Value::Array(list) => list.into_iter().map(|value| clean(value, field, keeping)).collect(),
        Value::Object(map) => Value::Object(members(map, keeping)),
    }
}

fn members(map: Map<String, Value>, keeping: Keeping<'_>) -> Map<String, Value> {
    let member = |(place, (name, value)): (usize, (String, Value))| {
        let field = Field::of(&name, keeping);
        let value = clean(value, field, keeping);
        if field != Field::Unknown || is_a_name(&name, keeping) {
            (name, value)
        } else {
            (format!("odd_name_{place}"), value)
        }
    };
    map.into_iter().enumerate().map(member).collect()
}

/// As clouds name fields: `DBInstanceId`, `support_ssl`, `x-request-id`.
fn is_a_name(name: &str, keeping: Keeping<'_>) -> bool {
    let digits = name.bytes().filter(u8::is_ascii_digit).count();
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    let begins = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    begins
        && name.len() <= LONGEST_NAME
        && digits <= 2
        && name.bytes().all(fits)
        && is_harmless(name, keeping)
}

/// Whether a text in a field that is known can stay.
fn is_harmless(text: &str, keeping: Keeping<'_>) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b" ._:/+-,*()".contains(&byte);
    text.len() <= LONGEST_WORD
        && text.bytes().all(fits)
        && !text.contains("://")
        && !holds_a_key(text)
        && !text.split(|c: char| !c.is_ascii_alphanumeric()).any(is_a_mixture)
        && !keeping.secrets.iter().any(|part| part.len() >= SHORTEST_SECRET && text.contains(part))
}

fn is_a_mixture(word: &str) -> bool {
    let has = |kind: fn(&u8) -> bool| word.as_bytes().iter().any(kind);
    word.len() >= MIXTURE
        && has(u8::is_ascii_digit)
        && has(u8::is_ascii_lowercase)
        && has(u8::is_ascii_uppercase)
}

fn stars(text: &str) -> String {
    "*".repeat(text.chars().count().min(LONGEST_STARS))
}

/// As many digits of the same kind of number.
fn ones(number: &Number) -> Value {
    let digits = number.to_string().bytes().filter(u8::is_ascii_digit).count().min(15);
    if number.is_f64() {
        return Number::from_f64(1.1).map_or(Value::Null, Value::Number);
    }
    let ones = "1".repeat(digits).parse().unwrap_or(1_i64);
    Value::Number(if number.is_i64() && number.as_i64() < Some(0) { (-ones).into() } else { ones.into() })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Shown;
    use super::*;

    const SHOWN: Shown = Shown { words: &["Id", "Ends", "Count", "Code"], certificates: &["Cert"] };
    const KEEPING: Keeping<'static> = Keeping { shown: &SHOWN, secrets: ["LTAI-id", "the-secret", ""] };

    #[test]
    fn form_and_known_values_stay_and_everything_else_becomes_its_type() {
        let value = json!({
            "Id": "r-bp1zxszhcgatnx", "Ends": "2027-01-01T00:00:00Z", "Count": 12, "Code": "Forbidden.RAM",
            "Name": "orders 订单", "Port": 6379, "Price": 1.5, "Balance": -42, "On": true, "Nothing": null,
            "Items": { "Row": [{ "Id": ["a", "b"], "Password": "hunter2" }] }
        });
        let want = json!({
            "Id": "r-bp1zxszhcgatnx", "Ends": "2027-01-01T00:00:00Z", "Count": 12, "Code": "Forbidden.RAM",
            "Name": "*********", "Port": 1111, "Price": 1.1, "Balance": -11, "On": true, "Nothing": null,
            "Items": { "Row": [{ "Id": ["a", "b"], "Password": "*******" }] }
        });
        assert_eq!(cleaned(value, KEEPING), want);
    }

    #[test]
    fn no_field_keeps_what_could_be_a_secret() {
        for (name, text) in [
            ("a private key", "-----BEGIN PRIVATE KEY-----"),
            ("a key in words", "PRIVATE KEY"),
            ("an address", "https://bucket.example/x"),
            ("a signed part", "x?Signature=abc"),
            ("a mail address", "a@b.example"),
            ("an access key secret", "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1"),
            ("what the call was signed with", "for the-secret here"),
            ("who signed it", "LTAI-id"),
            ("a long text", &"a".repeat(LONGEST_WORD + 1)),
            ("other characters", "pass\u{202e}word"),
        ] {
            let kept =
                cleaned(json!({ "Id": text, "Code": [text], "Cert": text, (text): 1 }), KEEPING).to_string();
            assert!(!kept.contains(text), "{name}: {kept}");
        }
        for name in ["a0b1c2d3e4f5a6b7c8d9", "password=hunter2", "4711", "", "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1"]
        {
            let kept = cleaned(json!({ (name): 1 }), KEEPING);
            assert_eq!(kept, json!({ "odd_name_0": 1 }), "{name}");
        }
    }

    #[test]
    fn of_the_headers_only_harmless_ones_stay() {
        let mut map = HeaderMap::new();
        for (name, value) in [
            ("content-type", "application/json; charset=utf-8"),
            ("date", "Sun, 22 Nov 2026 08:00:00 GMT"),
            ("retry-after", "the-secret"),
            ("set-cookie", "a=b"),
            ("x-request-id", "7F2A"),
        ] {
            map.insert(name, value.parse().expect("a header"));
        }
        let kept = headers(&map, KEEPING);
        assert_eq!(kept.keys().collect::<Vec<_>>(), ["content-type", "date"]);
        assert_eq!(kept["content-type"], "application/json");
    }
}
