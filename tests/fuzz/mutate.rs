//! Spoils inputs. The same seed spoils the same way.

use serde_json::Value;

/// What parsers stumble over, wherever it stands.
const CRUMBS: &[&[u8]] = &[
    b"\0",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\xbf\xe2\xd6\xa4",
    b"\xed\xa0\x80",
    "证书🔒\u{202e}".as_bytes(),
    b"\\u0000",
    b"\\ud800",
    b"\"",
    b"'",
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"=",
    b"\r\n",
    b"-",
    b"1e999999",
    b"-1",
    b"9223372036854775808",
    b"99999999999999999999999999999999999999999",
    b"null",
    b"<![CDATA[",
    b"-----BEGIN CERTIFICATE-----",
    b"-----END CERTIFICATE-----",
    b"(((((((((((((((((((((((((((((((",
    b"PK\x05\x06",
];

/// Dates and numbers that are none, or stand for nothing.
const ODD_TEXTS: &[&str] = &[
    "",
    " ",
    "-",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "+292277026596-12-04T15:30:08Z",
    "2027-02-30T00:00:00Z",
    "2027-06-15T02:21:18",
    "1e300",
    "NaN",
    "true",
    "0x7f",
    "٣",
    "../../etc/passwd",
    "a\u{0}b",
    "\u{202e}txt",
];

/// Spoils one input.
pub(crate) struct Mutator(u64);

impl Mutator {
    pub(crate) fn new(seed: u64) -> Self {
        let mut made = Self(seed ^ 0x2545_f491_4f6c_dd1d);
        made.number(2);
        made
    }

    /// Below `end`, which is not zero.
    pub(crate) fn number(&mut self, end: usize) -> usize {
        // SplitMix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let random = usize::try_from((mixed ^ (mixed >> 31)) >> 33).expect("31 bits");
        random % end
    }

    pub(crate) fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.number(all.len())]
    }

    /// One of them, spoilt: as bytes in a few places, as JSON where it is some, or replaced altogether.
    pub(crate) fn spoil(&mut self, honest: &[Vec<u8>]) -> Vec<u8> {
        let one = self.pick(honest).clone();
        match self.number(20) {
            0 => self.arbitrary(),
            1 => self.nested(&one),
            2..=9 => self.json(&one).unwrap_or_else(|| self.bytes(one, honest)),
            _ => self.bytes(one, honest),
        }
    }

    /// The same for texts.
    pub(crate) fn spoil_text(&mut self, honest: &[Vec<u8>]) -> String {
        String::from_utf8_lossy(&self.spoil(honest)).into_owned()
    }

    fn arbitrary(&mut self) -> Vec<u8> {
        let length = self.number(300);
        (0..length).map(|_| u8::try_from(self.number(256)).expect("a byte")).collect()
    }

    /// So deep that no reader may follow.
    fn nested(&mut self, one: &[u8]) -> Vec<u8> {
        let depth = [10, 127, 128, 1000, 50_000][self.number(5)];
        let (open, close): (&[u8], &[u8]) =
            [(&b"["[..], &b"]"[..]), (br#"{"a":"#, b"}"), (b"(", b")")][self.number(3)];
        [open.repeat(depth), one.to_vec(), close.repeat(depth)].concat()
    }

    /// A few bytes changed, lost, doubled or put in.
    fn bytes(&mut self, mut one: Vec<u8>, others: &[Vec<u8>]) -> Vec<u8> {
        for _ in 0..=self.number(3) {
            if one.is_empty() {
                break;
            }
            let at = self.number(one.len());
            let until = at + self.number((one.len() - at).min(64) + 1);
            match self.number(9) {
                0 | 1 => one[at] ^= 1 << self.number(8),
                2 => one[at] = u8::try_from(self.number(256)).expect("a byte"),
                3 => one.truncate(at),
                4 => drop(one.drain(at..until)),
                5 => {
                    let again = one[at..until].to_vec();
                    drop(one.splice(until..until, again));
                }
                6 | 7 => {
                    let crumb = *self.pick(CRUMBS);
                    drop(one.splice(at..at, crumb.iter().copied()));
                }
                _ => {
                    let other = self.pick(others).clone();
                    let from = self.number(other.len().max(1)).min(other.len());
                    one.truncate(at);
                    one.extend_from_slice(&other[from..]);
                }
            }
        }
        one
    }

    /// One value of a JSON text replaced by one of another type, or taken out, doubled, or renamed; or its bytes
    /// written in another encoding.
    fn json(&mut self, one: &[u8]) -> Option<Vec<u8>> {
        let mut json: Value = serde_json::from_slice(one).ok()?;
        let at = self.number(count(&json));
        let odd = self.odd_value(&json);
        let mut left = at;
        replace(&mut json, &mut left, &odd);
        let text = json.to_string();
        Some(match self.number(30) {
            0 => std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect(),
            1 => text.bytes().flat_map(|byte| [byte, 0]).collect(),
            _ => text.into_bytes(),
        })
    }

    fn odd_value(&mut self, of: &Value) -> Value {
        match self.number(14) {
            0 => Value::Null,
            1 => true.into(),
            2 => (-1).into(),
            3 => 0.into(),
            4 => u64::MAX.into(),
            5 => 1e300.into(),
            6 => Value::Array(vec![]),
            7 => Value::Object(serde_json::Map::default()),
            8 => Value::Array(vec![of.clone()]),
            9 => "x".repeat(70_000).into(),
            // What stands at another place of it: a row twice, the name of one as the id of another.
            11 | 12 => {
                let mut left = self.number(count(of));
                nth(of, &mut left).cloned().unwrap_or_default()
            }
            10 => (0..100).fold(Value::Null, |inner, _| Value::Array(vec![inner])),
            _ => (*self.pick(ODD_TEXTS)).into(),
        }
    }
}

/// How many values there are in it, itself included.
fn count(json: &Value) -> usize {
    1 + match json {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(members) => members.values().map(count).sum(),
        _ => 0,
    }
}

/// The value with that number.
fn nth<'v>(json: &'v Value, left: &mut usize) -> Option<&'v Value> {
    if *left == 0 {
        return Some(json);
    }
    *left -= 1;
    match json {
        Value::Array(items) => items.iter().find_map(|item| nth(item, left)),
        Value::Object(members) => members.values().find_map(|member| nth(member, left)),
        _ => None,
    }
}

/// Puts the odd one in the place of the value with that number.
fn replace(json: &mut Value, left: &mut usize, odd: &Value) -> bool {
    if *left == 0 {
        *json = odd.clone();
        return true;
    }
    *left -= 1;
    match json {
        Value::Array(items) => items.iter_mut().any(|item| replace(item, left, odd)),
        Value::Object(members) => members.values_mut().any(|member| replace(member, left, odd)),
        _ => false,
    }
}
