//! Telegram's end of a bot: the token in the path, its own reading of HTML, and chats that get a new number.

use std::collections::BTreeMap;
use std::sync::Mutex;

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::chat::Window;
use super::{Answer, Receiver, Request, Shown};
use crate::sim::wire::reply::locked;

/// Units of UTF-16, without the markup.
const LONGEST_TEXT: usize = 4096;
/// Every tag that it knows.
const TAGS: [&str; 14] = [
    "b",
    "strong",
    "i",
    "em",
    "u",
    "ins",
    "s",
    "strike",
    "del",
    "code",
    "pre",
    "a",
    "blockquote",
    "tg-spoiler",
];

/// A bot and the chats that it may write to.
pub struct Telegram {
    token: String,
    /// By number or `@name`: the number that it has now.
    chats: BTreeMap<String, i64>,
    threads: Vec<i64>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    windows: BTreeMap<i64, Window>,
    last_message: i64,
}

/// An error as it goes into the answer.
struct Refused {
    status: u16,
    words: String,
    parameters: Value,
}

impl Telegram {
    /// A bot with this token, which is in the chat of that number.
    pub fn new(token: &str, chat: i64) -> Self {
        let chats = BTreeMap::from([(chat.to_string(), chat)]);
        Self { token: token.to_owned(), chats, threads: Vec::new(), state: Mutex::default() }
    }

    /// The group that had this number has another one now, where the bot is as well.
    #[must_use]
    pub fn moved(mut self, from: i64, to: i64) -> Self {
        self.chats.insert(from.to_string(), to);
        self.chats.insert(to.to_string(), to);
        self
    }

    /// The chats have this topic.
    #[must_use]
    pub fn with_thread(mut self, thread: i64) -> Self {
        self.threads.push(thread);
        self
    }

    fn take(&self, request: &Request) -> Result<Value, Refused> {
        self.check_path(&request.path)?;
        let body = request.json().filter(|body| body.is_object() && request.is_announced_as_json());
        let body = body.ok_or_else(|| refused(400, "Bad Request: message text is empty"))?;
        let chat = self.chat(&body["chat_id"])?;
        let text = read(&body)?.text;
        if text.trim().is_empty() {
            return Err(refused(400, "Bad Request: message text is empty"));
        }
        if text.encode_utf16().count() > LONGEST_TEXT {
            return Err(refused(400, "Bad Request: message is too long"));
        }
        let thread = &body["message_thread_id"];
        if !thread.is_null() && !thread.as_i64().is_some_and(|thread| self.threads.contains(&thread)) {
            return Err(refused(400, "Bad Request: message thread not found"));
        }
        self.note(chat, request)
    }

    fn check_path(&self, path: &str) -> Result<(), Refused> {
        let inner = path.strip_prefix("/bot").and_then(|rest| rest.strip_suffix("/sendMessage"));
        match inner {
            Some(token) if token == self.token => Ok(()),
            Some(token) if token.contains(':') => Err(refused(401, "Unauthorized")),
            _ => Err(refused(404, "Not Found")),
        }
    }

    fn chat(&self, id: &Value) -> Result<i64, Refused> {
        let name = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
        let now = *self.chats.get(&name).ok_or_else(|| refused(400, "Bad Request: chat not found"))?;
        if name == now.to_string() || name.starts_with('@') {
            return Ok(now);
        }
        let words = "Bad Request: group chat was upgraded to a supergroup chat";
        Err(Refused { parameters: json!({"migrate_to_chat_id": now}), ..refused(400, words) })
    }

    /// Twenty a minute for each chat.
    fn note(&self, chat: i64, request: &Request) -> Result<Value, Refused> {
        let mut state = locked(&self.state);
        let window = state.windows.entry(chat).or_insert_with(|| Window::new(20, TimeDelta::minutes(1)));
        if !window.admits(request.at) {
            let parameters = json!({"retry_after": 35});
            return Err(Refused { parameters, ..refused(429, "Too Many Requests: retry after 35") });
        }
        state.last_message += 1;
        Ok(json!({"ok": true, "result": {"message_id": state.last_message, "chat": {"id": chat}}}))
    }
}

fn refused(status: u16, words: impl Into<String>) -> Refused {
    Refused { status, words: words.into(), parameters: Value::Null }
}

/// A text as people see it.
#[derive(Default)]
struct Reading {
    text: String,
    links: Vec<String>,
    mentions: Vec<String>,
}

fn read(body: &Value) -> Result<Reading, Refused> {
    let text = body["text"].as_str().unwrap_or_default();
    let mut reading = match body["parse_mode"].as_str() {
        Some("HTML") => html(text)
            .map_err(|problem| refused(400, format!("Bad Request: can't parse entities: {problem}")))?,
        None if body["parse_mode"].is_null() => Reading { text: text.to_owned(), ..Reading::default() },
        _ => return Err(refused(400, "Bad Request: unsupported parse_mode")),
    };
    let outside = if body["parse_mode"].is_null() { text.to_owned() } else { without_code(text) };
    reading.mentions = mentions(&outside);
    Ok(reading)
}

/// Every tag known, closed, and closed in order; nothing inside of code.
fn html(mut rest: &str) -> Result<Reading, String> {
    let mut reading = Reading::default();
    let mut open: Vec<&str> = Vec::new();
    while let Some(start) = rest.find('<') {
        reading.text.push_str(&decoded(&rest[..start]));
        let tag = &rest[start + 1..];
        let end = tag.find('>').ok_or("Unclosed start tag")?;
        tagged(&tag[..end], &mut open, &mut reading)?;
        rest = &tag[end + 1..];
    }
    reading.text.push_str(&decoded(rest));
    match open.last() {
        Some(tag) => Err(format!("Can't find end tag corresponding to start tag \"{tag}\"")),
        None => Ok(reading),
    }
}

fn tagged<'a>(tag: &'a str, open: &mut Vec<&'a str>, reading: &mut Reading) -> Result<(), String> {
    if let Some(name) = tag.strip_prefix('/') {
        let expected = open.pop().ok_or(format!("Unexpected end tag \"{name}\""))?;
        if expected == name {
            return Ok(());
        }
        return Err(format!("Unmatched end tag, expected \"</{expected}>\", found \"</{name}>\""));
    }
    let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
    if !TAGS.contains(&name) {
        return Err(format!("Unsupported start tag \"{name}\""));
    }
    if open.iter().any(|outer| ["code", "pre"].contains(outer)) || (name == "code" && !open.is_empty()) {
        return Err(format!("Tag \"{name}\" must not be nested with code"));
    }
    if name == "a" {
        let link = attributes.strip_prefix("href=\"").and_then(|link| link.strip_suffix('"'));
        let link = link.ok_or("Empty link")?;
        reading.links.push(decoded(link));
    }
    open.push(name);
    Ok(())
}

fn decoded(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}

/// Nobody is called from inside of code.
fn without_code(html: &str) -> String {
    let outside = html.split("<code>").enumerate();
    outside
        .map(
            |(number, piece)| {
                if number == 0 { piece } else { piece.split_once("</code>").map_or("", |(_, rest)| rest) }
            },
        )
        .collect()
}

/// `@name` of at least five letters calls whoever has that name.
fn mentions(text: &str) -> Vec<String> {
    let name = |rest: &str| -> String {
        rest.chars().take_while(|character| character.is_ascii_alphanumeric() || *character == '_').collect()
    };
    text.split('@').skip(1).map(name).filter(|name| name.len() >= 4 || name == "all").collect()
}

impl Receiver for Telegram {
    fn name(&self) -> &'static str {
        "telegram"
    }

    fn judge(&self, request: &Request) -> Answer {
        match self.take(request) {
            Ok(answer) => Answer::ok(&answer),
            Err(Refused { status, words, parameters }) => {
                let mut answer = json!({"ok": false, "error_code": status, "description": words});
                if !parameters.is_null() {
                    answer["parameters"] = parameters;
                }
                Answer::error(status, &answer)
            }
        }
    }

    fn shown(&self, request: &Request) -> Option<Shown> {
        let reading = read(&request.json()?).ok()?;
        let mut lines = reading.text.lines().map(str::to_owned).filter(|line| !line.trim().is_empty());
        let title = lines.next().unwrap_or_default();
        let lines = lines.collect();
        Some(Shown { title, lines, colour: None, mentions: reading.mentions, links: reading.links })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_is_read_as_strictly_as_the_vendor_does() {
        for (name, text, want) in [
            ("plain", "a &amp; b", Ok("a & b")),
            ("tags", "<b>a</b> <code>b</code> <a href=\"https://e\">c</a>", Ok("a b c")),
            ("an unknown entity stays", "a &nbsp; b", Ok("a &nbsp; b")),
            ("a tag that is none", "a <channel> b", Err("Unsupported start tag \"channel\"")),
            ("never closed", "<b>a", Err("Can't find end tag corresponding to start tag \"b\"")),
            ("closed in the wrong order", "<b><i>a</b></i>", Err("expected \"</i>\"")),
            ("never opened", "a</b>", Err("Unexpected end tag")),
            ("half a tag", "a <b", Err("Unclosed start tag")),
            ("code inside of bold", "<b><code>a</code></b>", Err("must not be nested")),
        ] {
            match (html(text), want) {
                (Ok(reading), Ok(want)) => assert_eq!(reading.text, want, "{name}"),
                (Err(problem), Err(want)) => assert!(problem.contains(want), "{name}: {problem}"),
                (found, _) => panic!("{name}: {:?}", found.map(|reading| reading.text)),
            }
        }
    }

    #[test]
    fn names_call_people_but_not_from_inside_of_code() {
        assert_eq!(mentions(&without_code("@alice_b and <code>@robert</code> @x")), ["alice_b"]);
    }
}
