//! The signature of UCloud: parameters and key in, the body to send out.
//!
//! Pure. What is signed is what is sent: parameters are flattened and rendered once, and that same map is signed and
//! encoded (`true` signed and `True` sent gives 171, which looks exactly like a wrong key). No time and no nonce are
//! signed, so a wrong clock disturbs nothing. Nothing in here has a `Debug` form, because nearly everything holds a
//! key. The known answers in `tests/vectors/ucloud.json` come out of the official SDKs.

use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::zeroize::{Zeroize, Zeroizing};
use serde_json::Value;

/// Who signs.
pub struct KeyRef<'a> {
    /// Names the key.
    pub public_key: &'a str,
    /// Signs.
    pub private_key: &'a str,
    /// Of a temporary key.
    pub token: Option<&'a str>,
}

/// Name and value of a parameter, rendered.
pub type Pair = (String, String);

/// The form body of a call: its parameters, the key's name, its token if it has one, and the signature.
pub fn signed_form(mut params: Vec<Pair>, key: &KeyRef<'_>) -> String {
    params.push(("PublicKey".into(), key.public_key.into()));
    params.extend(key.token.map(|token| ("SecurityToken".into(), token.into())));
    let signature = form_signature(&params, key.private_key);
    params.push(("Signature".into(), signature));
    let body = encode(&params);
    for (_, value) in &mut params {
        value.zeroize();
    }
    body
}

/// Parameters as a form has them: lists become `Name.0`, `Name.1`, objects `Name.Member`; null is left out.
pub fn flatten(params: &Value) -> Vec<Pair> {
    let mut pairs = Vec::new();
    flatten_into(&mut pairs, String::new(), params);
    pairs
}

fn flatten_into(pairs: &mut Vec<Pair>, name: String, value: &Value) {
    let inner = |part: &str| if name.is_empty() { part.to_owned() } else { format!("{name}.{part}") };
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(member, value)| flatten_into(pairs, inner(member), value));
        }
        Value::Array(items) => {
            let items = items.iter().enumerate();
            items.for_each(|(place, item)| flatten_into(pairs, inner(&place.to_string()), item));
        }
        Value::Null => {}
        scalar => pairs.push((name, render(scalar))),
    }
}

/// A float without a fraction loses its point, and none is ever written with an exponent.
fn render(scalar: &Value) -> String {
    match scalar {
        Value::String(text) => text.clone(),
        Value::Number(number) if number.is_f64() => number.as_f64().unwrap_or_default().to_string(),
        other => other.to_string(),
    }
}

/// The signature of a form: every pair but the signature itself.
pub fn form_signature<K: AsRef<str>, V: AsRef<str>>(pairs: &[(K, V)], private_key: &str) -> String {
    sha1_hex(&form_text(pairs, private_key))
}

/// The signature of a JSON body: every member but the signature itself.
pub fn json_signature(params: &Value, private_key: &str) -> String {
    sha1_hex(&json_text(params, private_key))
}

/// Names and values sorted by name as bytes, with nothing between, the private key behind them. Nothing is escaped.
fn form_text<K: AsRef<str>, V: AsRef<str>>(pairs: &[(K, V)], private_key: &str) -> Zeroizing<String> {
    let mut sorted: Vec<(&str, &str)> =
        pairs.iter().map(|(name, value)| (name.as_ref(), value.as_ref())).collect();
    sorted.sort_unstable();
    let size: usize = sorted.iter().map(|(name, value)| name.len() + value.len()).sum();
    let mut text = Zeroizing::new(String::with_capacity(size + private_key.len()));
    for (name, value) in sorted {
        text.extend([name, value]);
    }
    text.push_str(private_key);
    text
}

fn json_text(params: &Value, private_key: &str) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::new());
    push_json(&mut text, params);
    text.push_str(private_key);
    text
}

/// In JSON a list contributes its values only, an object its members sorted by name.
fn push_json(text: &mut String, value: &Value) {
    match value {
        Value::Object(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_unstable_by_key(|(name, _)| *name);
            for (name, value) in sorted {
                text.push_str(name);
                push_json(text, value);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| push_json(text, item)),
        Value::Null => {}
        scalar => text.push_str(&render(scalar)),
    }
}

fn encode(pairs: &[Pair]) -> String {
    // Large enough for a text of which everything is encoded: one that grows leaves what it had behind.
    let size: usize = pairs.iter().map(|(name, value)| 3 * (name.len() + value.len()) + 2).sum();
    let mut body = String::with_capacity(size);
    for (name, value) in pairs {
        let and = if body.is_empty() { "" } else { "&" };
        let (name, value) = (utf8_percent_encode(name, ENCODED), utf8_percent_encode(value, ENCODED));
        write!(body, "{and}{name}={value}").expect("writing to a string cannot fail");
    }
    body
}

fn sha1_hex(text: &str) -> String {
    hex::encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes()))
}

/// Everything but `A-Z a-z 0-9 - _ .`.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use percent_encoding::percent_decode_str;

    use super::*;

    struct Vector(Value);

    impl Vector {
        fn text(&self, name: &str) -> &str {
            self.0[name].as_str().unwrap_or_else(|| panic!("{name} is missing"))
        }

        fn key(&self) -> KeyRef<'_> {
            KeyRef {
                public_key: self.text("public_key"),
                private_key: self.text("private_key"),
                token: self.0["security_token"].as_str(),
            }
        }

        fn signed(&self) -> Value {
            let mut params = self.0["params"].clone();
            params["PublicKey"] = self.text("public_key").into();
            if let Some(token) = self.key().token {
                params["SecurityToken"] = token.into();
            }
            params
        }
    }

    fn vectors() -> Vec<Vector> {
        let file: Value = serde_json::from_str(include_str!("../../../tests/vectors/ucloud.json")).unwrap();
        file["cases"].as_array().unwrap().iter().cloned().map(Vector).collect()
    }

    fn decoded(body: &str) -> BTreeMap<String, String> {
        let text = |part: &str| percent_decode_str(part).decode_utf8().unwrap().into_owned();
        body.split('&').filter_map(|part| part.split_once('=')).map(|(k, v)| (text(k), text(v))).collect()
    }

    fn check_form(vector: &Vector) {
        let (id, signed) = (vector.text("id"), vector.signed());
        let wanted: BTreeMap<String, String> = serde_json::from_value(vector.0["flattened"].clone()).unwrap();
        assert_eq!(flatten(&signed).into_iter().collect::<BTreeMap<_, _>>(), wanted, "{id}: flattened");
        let text = form_text(&flatten(&signed), vector.text("private_key"));
        assert_eq!(*text, vector.text("string_to_sign"), "{id}: string to sign");
        let body = signed_form(flatten(&vector.0["params"]), &vector.key());
        let mut sent = decoded(&body);
        assert_eq!(sent.remove("Signature").as_deref(), Some(vector.text("signature")), "{id}: signature");
        assert_eq!(sent, wanted, "{id}: what is sent is what is signed");
    }

    fn check_json(vector: &Vector) {
        let (id, signed) = (vector.text("id"), vector.signed());
        let text = json_text(&signed, vector.text("private_key"));
        assert_eq!(*text, vector.text("string_to_sign"), "{id}: string to sign");
        let signature = json_signature(&signed, vector.text("private_key"));
        assert_eq!(signature, vector.text("signature"), "{id}: signature");
    }

    #[test]
    fn every_known_answer_of_the_sdks_comes_out() {
        let mut run = BTreeMap::from([("form", 0), ("json", 0)]);
        for vector in vectors() {
            let encoding = vector.text("encoding");
            *run.get_mut(encoding).unwrap_or_else(|| panic!("an encoding nobody checks: {encoding}")) += 1;
            if encoding == "form" { check_form(&vector) } else { check_json(&vector) }
        }
        assert_eq!((run["form"], run["json"]), (15, 3), "vectors were added or lost");
    }

    #[test]
    fn another_key_value_or_name_is_another_signature() {
        let pairs = [("Action", "GetRegion"), ("PublicKey", "p")];
        let signature = form_signature(&pairs, "secret");
        assert_ne!(signature, form_signature(&pairs, "secret2"));
        assert_ne!(signature, form_signature(&[("Action", "GetRegions"), ("PublicKey", "p")], "secret"));
        assert_eq!(signature, form_signature(&[pairs[1], pairs[0]], "secret"), "the order is ours");
    }
}
