//! A mail as a strict server and a mail reader see it: headers, encodings, parts (RFC 5322, 2045, 2047).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::sim::receivers::{Answer, Request, Shown};

/// No line of a mail may be longer (RFC 5322 §2.1.1).
const LONGEST_LINE: usize = 998;

/// Headers that stand there once, and no more.
const ONCE: [&str; 6] = ["from", "to", "date", "subject", "message-id", "mime-version"];

/// What a strict server says to a mail.
pub(super) fn judge(request: &Request) -> Answer {
    match problem(request) {
        None => Answer::accepted(250, "", "2.0.0 queued as 4711"),
        Some(problem) => Answer::refused(554, "", format!("5.6.0 {problem}")),
    }
}

fn problem(request: &Request) -> Option<String> {
    let lines: Vec<_> = request.body.split(|byte| *byte == b'\n').collect();
    if lines.iter().any(|line| line.len() > LONGEST_LINE + 1) {
        return Some("a line is too long".to_owned());
    }
    let (last, lines) = lines.split_last()?;
    let bare = |line: &[u8]| !line.ends_with(b"\r") || line[..line.len() - 1].contains(&b'\r');
    if !last.is_empty() || lines.iter().any(|line| bare(line)) {
        return Some("a line does not end in CRLF".to_owned());
    }
    if !request.body.is_ascii() {
        return Some("8 bits were not asked for".to_owned());
    }
    let count = |name: &str| request.headers.iter().filter(|(header, _)| header == name).count();
    let missing = ONCE.into_iter().find(|name| count(name) != 1);
    missing.map(|name| format!("{} times {name}", count(name)))
}

/// Names in lower case; values unfolded and decoded.
pub(super) fn headers(body: &[u8]) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(body).into_owned();
    let head = text.split("\r\n\r\n").next().unwrap_or_default();
    let unfolded = head.replace("\r\n ", " ").replace("\r\n\t", " ");
    let header = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_ascii_lowercase(), words(value.trim())))
    };
    unfolded.split("\r\n").filter_map(header).collect()
}

/// What a person sees: the text, and below it what a mail reader makes of the HTML.
pub(super) fn shown(request: &Request) -> Option<Shown> {
    let title = request.header("subject")?.to_owned();
    let mut shown = Shown { title, ..Shown::default() };
    for (kind, content) in leaves(&request.body) {
        if kind.starts_with("text/html") {
            shown.colour = colour(&content);
            shown.links = links(&content);
            shown.lines.extend(rendered(&content).lines().map(str::to_owned));
        } else {
            shown.lines.extend(content.lines().map(str::to_owned));
        }
    }
    Some(shown)
}

/// Type and decoded text of each part.
fn leaves(body: &[u8]) -> Vec<(String, String)> {
    let headers = headers(body);
    let value = |name: &str| {
        let found = headers.iter().find(|(header, _)| header == name);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    };
    let kind = value("content-type");
    let text = String::from_utf8_lossy(body);
    let content = text.split_once("\r\n\r\n").map(|(_, content)| content).unwrap_or_default();
    let Some(boundary) = parameter(&kind, "boundary") else {
        return vec![(kind, transferred(&value("content-transfer-encoding"), content))];
    };
    let pieces = format!("\r\n{content}");
    let pieces: Vec<_> = pieces.split(&format!("\r\n--{boundary}")).collect();
    let inner = pieces.iter().skip(1).filter(|piece| !piece.starts_with("--"));
    inner.flat_map(|piece| leaves(piece.trim_start_matches("\r\n").as_bytes())).collect()
}

fn parameter(value: &str, name: &str) -> Option<String> {
    let (_, after) = value.split_once(&format!("{name}="))?;
    let after = after.trim_start_matches('"');
    Some(after.split(['"', ';']).next().unwrap_or_default().to_owned())
}

fn transferred(encoding: &str, content: &str) -> String {
    let bytes = match encoding.to_ascii_lowercase().as_str() {
        "base64" => STANDARD.decode(content.replace(['\r', '\n'], "")).unwrap_or_default(),
        "quoted-printable" => quoted(content, false),
        _ => content.as_bytes().to_vec(),
    };
    String::from_utf8_lossy(&bytes).replace("\r\n", "\n")
}

/// Quoted-printable; in headers an underscore is a blank.
fn quoted(text: &str, in_header: bool) -> Vec<u8> {
    let text = text.replace("=\r\n", "");
    let (bytes, mut out, mut at) = (text.as_bytes(), Vec::new(), 0);
    while at < bytes.len() {
        let hex = bytes.get(at + 1..at + 3).and_then(|hex| std::str::from_utf8(hex).ok());
        let code = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        let (byte, width) = match (bytes[at], code) {
            (b'=', Some(code)) => (code, 3),
            (b'_', _) if in_header => (b' ', 1),
            (byte, _) => (byte, 1),
        };
        out.push(byte);
        at += width;
    }
    out
}

/// `=?utf-8?b?…?=`: encoded words, between which blanks do not count.
fn words(value: &str) -> String {
    let mut out = String::new();
    let mut rest = value;
    let mut after_word = false;
    while let Some((before, coded)) = rest.split_once("=?") {
        let mut parts = coded.splitn(4, '?');
        let word = (parts.next(), parts.next(), parts.next(), parts.next());
        let (Some(_charset), Some(encoding), Some(text), Some(tail)) = word else { break };
        let bytes = match encoding {
            "b" | "B" => STANDARD.decode(text).unwrap_or_default(),
            _ => quoted(text, true),
        };
        if !(after_word && before.trim().is_empty()) {
            out.push_str(before);
        }
        out.push_str(&String::from_utf8_lossy(&bytes));
        rest = tail.strip_prefix('=').unwrap_or(tail);
        after_word = true;
    }
    out + rest
}

fn colour(html: &str) -> Option<String> {
    let (_, after) = html.split_once("solid #")?;
    Some(format!("#{}", after.get(..6)?))
}

fn links(html: &str) -> Vec<String> {
    let targets = html.split("href=\"").skip(1);
    targets.filter_map(|rest| rest.split('"').next()).map(unescaped).collect()
}

/// The text of HTML: tags end lines or vanish.
fn rendered(html: &str) -> String {
    let mut out = String::new();
    for (number, piece) in html.split('<').enumerate() {
        if number == 0 {
            out.push_str(piece);
            continue;
        }
        let (tag, text) = piece.split_once('>').unwrap_or((piece, ""));
        let breaks = ["br", "/p", "/h2", "/tr"].contains(&tag);
        if breaks && !out.ends_with('\n') {
            out.push('\n');
        }
        out.push_str(text.trim_start_matches('\n'));
    }
    unescaped(&out)
}

fn unescaped(text: &str) -> String {
    let pairs = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
    pairs.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_words_are_read() {
        for (name, value, want) in [
            ("plain", "hello", "hello"),
            ("base64", "=?utf-8?b?6K6i5Y2V?=", "订单"),
            ("two, with a blank between them", "=?utf-8?b?6K6i?= =?utf-8?b?5Y2V?=", "订单"),
            ("quoted", "=?utf-8?q?a_=3F?= b", "a ? b"),
        ] {
            assert_eq!(words(value), want, "{name}");
        }
    }

    #[test]
    fn parts_are_decoded() {
        let mail = b"Content-Type: multipart/alternative;\r\n boundary=\"x\"\r\n\r\n--x\r\n\
            Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
            a=3Db=\r\nc\r\n--x\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\n\
            PGI+YTwvYj4=\r\n--x--\r\n";
        let leaves: Vec<_> = leaves(mail).into_iter().map(|(_, text)| text).collect();
        assert_eq!(leaves, ["a=bc", "<b>a</b>"]);
    }
}
