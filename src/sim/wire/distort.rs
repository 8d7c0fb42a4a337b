//! Turns a fault into what goes on the wire: in place of an honest answer, or made from one.

use std::io::Write as _;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Map, Value};

use super::body::AnswerBody;
use super::fault::{Charset, Fault, Hang, Reset, Total, WrongType};
use super::reply::{Reaction, Reply};

const JSON: &str = "application/json;charset=utf-8";

/// What comes instead of an answer; `None` for faults that need the honest one, or that each cloud words itself.
pub(in crate::sim) fn instead(fault: &Fault, now: DateTime<Utc>) -> Option<Reaction> {
    let reply = match fault {
        Fault::Hang(Hang::NoAnswer) => return Some(Reaction::Silence),
        Fault::Reset(Reset::BeforeAnswer) => return Some(Reaction::Reset),
        Fault::Html { status } => Reply::new(*status, "text/html", html(*status), now),
        Fault::EmptyBody => Reply::new(200, JSON, "", now),
        Fault::Garbage => Reply::new(200, JSON, garbage(), now),
        Fault::EndlessBody { gzip } => endless(*gzip, now),
        Fault::Redirect { to } => Reply::new(302, "text/html", "", now).with("location", to),
        Fault::Status { status, json: false } => Reply::new(*status, "text/plain", "", now),
        Fault::Custom { status, headers, body } => {
            let reply = Reply::new(*status, JSON, body.clone(), now);
            headers.iter().fold(reply, |reply, (name, value)| reply.with(name, value))
        }
        _ => return None,
    };
    Some(Reaction::Reply(Box::new(reply)))
}

/// What becomes of the body of the honest answer, which is JSON.
pub(in crate::sim) fn rewritten(fault: &Fault, body: Vec<u8>) -> Vec<u8> {
    match fault {
        Fault::WrongTypes(kind) => changed(&body, |json| wrong_type(*kind, json)),
        Fault::LyingTotals(total) => changed(&body, |json| lying_total(*total, json)),
        _ => body,
    }
}

/// A body of JSON, changed.
pub(in crate::sim) fn changed(body: &[u8], change: impl FnOnce(Value) -> Value) -> Vec<u8> {
    let json = serde_json::from_slice(body).expect("honest answers are JSON");
    change(json).to_string().into_bytes()
}

/// How the answer reaches the other side.
pub(in crate::sim) fn delivered(fault: &Fault, reply: Reply) -> Reaction {
    Reaction::Reply(Box::new(match fault {
        Fault::CutBody => reply.cut(),
        Fault::WrongCharset(charset) => reply.encoded(*charset),
        Fault::Hang(Hang::HeadOnly) => Reply { body: AnswerBody::Silent, ..reply.announcing_its_length() },
        Fault::Hang(Hang::Drip) => reply.dripping(),
        Fault::Reset(Reset::KeptConnection) => Reply { hang_up: true, ..reply },
        _ => reply,
    }))
}

impl Reply {
    fn whole(&self) -> Bytes {
        if let AnswerBody::Whole(bytes) = &self.body { bytes.clone() } else { Bytes::new() }
    }

    fn announcing_its_length(self) -> Self {
        let length = self.whole().len().to_string();
        self.with("content-length", &length)
    }

    fn cut(self) -> Self {
        let whole = self.whole();
        let body = AnswerBody::cut(whole.slice(..whole.len() / 2));
        Self { body, ..self.announcing_its_length() }
    }

    fn dripping(self) -> Self {
        let body = AnswerBody::drip(self.whole());
        Self { body, ..self.announcing_its_length() }
    }

    fn encoded(self, charset: Charset) -> Self {
        let text = String::from_utf8_lossy(&self.whole()).into_owned();
        let (name, bytes) = match charset {
            Charset::Gbk => ("application/json;charset=GBK", gbk(&text)),
            Charset::Utf16 => ("application/json;charset=UTF-16", utf16(&text)),
        };
        Self { body: AnswerBody::Whole(bytes.into()), ..self.with("content-type", name) }
    }
}

/// Every character outside ASCII becomes the one for "store", and one is there in any case.
fn gbk(text: &str) -> Vec<u8> {
    const STORE: [u8; 2] = [0xbf, 0xe2];
    let mut bytes = b"{\"LocalName\":\"".to_vec();
    bytes.extend(STORE);
    bytes.extend(b"\",");
    for character in text.chars().skip(1) {
        match u8::try_from(character) {
            Ok(byte) if byte.is_ascii() => bytes.push(byte),
            _ => bytes.extend(STORE),
        }
    }
    bytes
}

fn utf16(text: &str) -> Vec<u8> {
    std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
}

fn html(status: u16) -> String {
    format!("<html><head><title>{status}</title></head><body><h1>{status}</h1><hr>nginx</body></html>\n")
}

/// Every byte there is, several times.
fn garbage() -> Vec<u8> {
    (0..=255).rev().cycle().take(1024).collect()
}

/// The beginning of an object whose first text never ends.
fn endless(gzip: bool, now: DateTime<Utc>) -> Reply {
    const BEGIN: &[u8] = b"{\"RequestId\":\"";
    let blanks = vec![b' '; 1 << 20];
    let reply = Reply::new(200, JSON, "", now);
    if !gzip {
        return Reply {
            body: AnswerBody::Endless(BEGIN.into(), Bytes::from(blanks).slice(..1 << 16)),
            ..reply
        };
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let mut block = |bytes: &[u8]| {
        encoder.write_all(bytes).expect("writing to memory cannot fail");
        encoder.flush().expect("writing to memory cannot fail");
        Bytes::from(std::mem::take(encoder.get_mut()))
    };
    // After a flush a block of blanks refers to blanks only, so the second one can be repeated for ever.
    let first = [block(BEGIN), block(&blanks)].concat();
    let body = AnswerBody::Endless(first.into(), block(&blanks));
    Reply { body, ..reply.with("content-encoding", "gzip") }
}

fn wrong_type(kind: WrongType, json: Value) -> Value {
    match kind {
        WrongType::ListForAnswer => Value::Array(vec![json]),
        WrongType::ListForObject => members(json, lists_for_objects),
        WrongType::NumberForString => numbers_for_texts(json),
        WrongType::NullEverywhere => members(json, |_| Value::Null),
    }
}

fn members(json: Value, change: impl Fn(Value) -> Value) -> Value {
    let Value::Object(object) = json else { return json };
    object.into_iter().map(|(name, value)| (name, change(value))).collect()
}

fn lists_for_objects(json: Value) -> Value {
    match json {
        Value::Object(_) => Value::Array(vec![members(json, lists_for_objects)]),
        Value::Array(items) => items.into_iter().map(lists_for_objects).collect(),
        plain => plain,
    }
}

fn numbers_for_texts(json: Value) -> Value {
    match json {
        Value::String(_) => Value::from(7),
        Value::Array(items) => items.into_iter().map(numbers_for_texts).collect(),
        other => members(other, numbers_for_texts),
    }
}

fn lying_total(total: Total, json: Value) -> Value {
    let Value::Object(mut object) = json else { return json };
    for name in ["TotalCount", "TotalRecordCount"] {
        lie(&mut object, name, total);
    }
    Value::Object(object)
}

fn lie(object: &mut Map<String, Value>, name: &str, total: Total) {
    let Some(truth) = object.get(name).and_then(Value::as_i64) else { return };
    let lie = match total {
        Total::TooSmall => truth / 2,
        Total::TooLarge => truth + 1000,
        Total::Negative => -1,
        Total::Absent => {
            object.remove(name);
            return;
        }
    };
    object.insert(name.to_owned(), lie.into());
}
