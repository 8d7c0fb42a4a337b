//! JSON written straight into bytes, with the cloud's own field names at the place where they are filled.

use std::fmt::Display;
use std::io::Write as _;

/// An object or list being written.
pub(super) struct Json {
    bytes: Vec<u8>,
}

impl Json {
    /// An answer: one object, which begins with its `RequestId`.
    pub(super) fn answer(request_id: &str, fill: impl FnOnce(&mut Self)) -> Vec<u8> {
        let mut json = Self { bytes: Vec::with_capacity(512) };
        json.bytes.push(b'{');
        json.text("RequestId", request_id);
        fill(&mut json);
        json.bytes.push(b'}');
        json.bytes
    }

    /// A member that is a text.
    pub(super) fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        self.string(value);
    }

    /// A member that is a text, or missing.
    pub(super) fn maybe(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    /// A member that is written as it stands: a number, `true`, `null`.
    pub(super) fn plain(&mut self, name: &str, value: impl Display) {
        self.name(name);
        write!(self.bytes, "{value}").expect("writing to memory cannot fail");
    }

    /// A member that is an object.
    pub(super) fn object(&mut self, name: &str, fill: impl FnOnce(&mut Self)) {
        self.name(name);
        self.bytes.push(b'{');
        fill(self);
        self.bytes.push(b'}');
    }

    /// A member that is a list of objects, one for each item.
    pub(super) fn objects<T>(
        &mut self,
        name: &str,
        items: impl IntoIterator<Item = T>,
        mut fill: impl FnMut(&mut Self, T),
    ) {
        self.list(name, items, |json, item| {
            json.bytes.push(b'{');
            fill(json, item);
            json.bytes.push(b'}');
        });
    }

    /// A member that is a list of texts.
    pub(super) fn texts<T: AsRef<str>>(&mut self, name: &str, items: impl IntoIterator<Item = T>) {
        self.list(name, items, |json, item| json.string(item.as_ref()));
    }

    fn list<T>(
        &mut self,
        name: &str,
        items: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Self, T),
    ) {
        self.name(name);
        self.bytes.push(b'[');
        for item in items {
            self.comma();
            write(self, item);
        }
        self.bytes.push(b']');
    }

    fn name(&mut self, name: &str) {
        self.comma();
        self.bytes.push(b'"');
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.extend_from_slice(b"\":");
    }

    fn comma(&mut self) {
        if !matches!(self.bytes.last(), Some(b'{' | b'[')) {
            self.bytes.push(b',');
        }
    }

    fn string(&mut self, value: &str) {
        serde_json::to_writer(&mut self.bytes, value).expect("a text in memory can always be written");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn what_is_written_is_json() {
        let bytes = Json::answer("R-1", |json| {
            json.text("Name", "订单 \"{[");
            json.plain("TotalCount", -3);
            json.maybe("Nothing", None);
            json.object("Empty", |_| {});
            json.object("Tags", |json| {
                json.objects("Tag", [("env", "prod"), ("x{", "[")], |json, (key, value)| {
                    json.text("Key", key);
                    json.text("Value", value);
                });
            });
            json.texts("Zone", ["a", "b"]);
        });
        let read: Value = serde_json::from_slice(&bytes).unwrap();
        let tags = json!([{"Key": "env", "Value": "prod"}, {"Key": "x{", "Value": "["}]);
        let want = json!({"RequestId": "R-1", "Name": "订单 \"{[", "TotalCount": -3, "Empty": {},
            "Tags": {"Tag": tags}, "Zone": ["a", "b"]});
        assert_eq!(read, want);
    }
}
