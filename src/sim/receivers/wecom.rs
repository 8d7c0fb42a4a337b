//! WeCom's end of a group robot. Status 200 for everything; its words tell the caller's address and link to its help.

use std::sync::Mutex;

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::chat::{self, Dialect, Window};
use super::{Answer, Receiver, Request, Shown};
use crate::sim::wire::reply::locked;

/// Bytes of Markdown.
const LONGEST_MARKDOWN: usize = 4096;
/// Bytes of plain text.
const LONGEST_TEXT: usize = 2048;

/// A robot in a group.
pub struct Wecom {
    key: String,
    pace: Mutex<Window>,
}

/// An error code and its words.
type Refused = (i64, &'static str);

impl Wecom {
    /// A robot that is called with this key.
    pub fn new(key: &str) -> Self {
        Self { key: key.to_owned(), pace: Mutex::new(Window::new(20, TimeDelta::minutes(1))) }
    }

    fn check(&self, request: &Request) -> Result<(), Refused> {
        if request.parameter("key").as_ref() != Some(&self.key) {
            return Err((93_000, "invalid webhook url"));
        }
        let body = request.json().filter(Value::is_object).ok_or((47_001, "data format error"))?;
        let kind = body["msgtype"].as_str().ok_or((40_008, "invalid message type"))?;
        let longest = match kind {
            "markdown" => LONGEST_MARKDOWN,
            "text" => LONGEST_TEXT,
            _ => return Err((40_008, "invalid message type")),
        };
        let content = body[kind]["content"].as_str().filter(|content| !content.trim().is_empty());
        if content.ok_or((44_004, "text content is empty"))?.len() > longest {
            return Err((40_058, "content exceed max length"));
        }
        check_lists(&body[kind], kind)?;
        let admitted = locked(&self.pace).admits(request.at);
        if admitted { Ok(()) } else { Err((45_009, "api freq out of limit")) }
    }
}

fn check_lists(message: &Value, kind: &str) -> Result<(), Refused> {
    for name in ["mentioned_list", "mentioned_mobile_list"] {
        let list = &message[name];
        let is_list = list.as_array().is_some_and(|list| kind == "text" && list.iter().all(Value::is_string));
        if !list.is_null() && !is_list {
            return Err((40_058, "invalid Request Parameter"));
        }
    }
    Ok(())
}

impl Receiver for Wecom {
    fn name(&self) -> &'static str {
        "wecom"
    }

    fn judge(&self, request: &Request) -> Answer {
        if request.path != "/cgi-bin/webhook/send" || request.method != "POST" {
            return Answer::refused(404, "text/html", "<html>404</html>");
        }
        match self.check(request) {
            Ok(()) => Answer::ok(&json!({"errcode": 0, "errmsg": "ok"})),
            Err((code, words)) => {
                let words = format!(
                    "{words}, hint: [1795305600188345270150112], from ip: 203.0.113.7, more info at \
                     https://open.work.weixin.qq.com/devtool/query?e={code}"
                );
                Answer::error(200, &json!({"errcode": code, "errmsg": words}))
            }
        }
    }

    fn shown(&self, request: &Request) -> Option<Shown> {
        let body = request.json()?;
        let mut shown = Shown::default();
        if body["msgtype"] == "text" {
            let text = &body["text"];
            shown.lines = text["content"].as_str()?.lines().map(str::to_owned).collect();
            let lists = [&text["mentioned_list"], &text["mentioned_mobile_list"]];
            let called = lists.into_iter().filter_map(Value::as_array).flatten().filter_map(Value::as_str);
            shown.mentions = called.map(str::to_owned).collect();
            return Some(shown);
        }
        let dialect = Dialect { code: true, underscores: false, entities: false };
        chat::read(body["markdown"]["content"].as_str()?, dialect).add_to(&mut shown);
        if !shown.lines.is_empty() {
            shown.title = shown.lines.remove(0);
        }
        Some(shown)
    }
}
