//! The page that shows what the demonstration's receivers got, as it would look there. No script, nothing from
//! elsewhere, and every text that came is escaped (`html`).

mod dingtalk;
mod html;
mod json;
mod slack;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use askama::Template;
use chrono::{DateTime, Utc};
use hyper::http::request::Parts;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use self::html::Html;
use crate::sim::receivers::{Delivery, Reception, Request};
use crate::sim::wire::reply::{Cloud, Reaction, Reply};
use crate::sim::wire::server;

const STYLE: &str = include_str!("../../../../templates/messages.css");
const ICON: &str = include_str!("../../../../templates/icon.svg");
/// Nothing runs, nothing is fetched from elsewhere, nobody frames it.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";
/// Of each receiver the page shows so many messages, the newest first.
const SHOWN: usize = 30;

/// A receiver, and how messages look there.
pub(super) struct Inbox {
    pub(super) look: Look,
    pub(super) reception: Reception,
}

/// How messages look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    Slack,
    Dingtalk,
    Webhook,
}

/// The page, served; the last handle to go stops it.
pub(super) struct Page {
    address: SocketAddr,
    _stop: DropGuard,
}

impl Page {
    /// Starts on a free loopback port.
    pub(super) async fn start(inboxes: Vec<Inbox>, status_page: Option<String>) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let stop = CancellationToken::new();
        let site = Arc::new(Site { inboxes, status_page });
        tokio::spawn(server::serve(listener, site, stop.clone()));
        Ok(Self { address, _stop: stop.drop_guard() })
    }

    /// Its address.
    pub(super) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }
}

struct Site {
    inboxes: Vec<Inbox>,
    status_page: Option<String>,
}

impl Cloud for Site {
    fn react(&self, parts: &Parts, _: &[u8]) -> Reaction {
        let now = Utc::now();
        let reads = ["GET", "HEAD"].contains(&parts.method.as_str());
        let reply = match parts.uri.path() {
            _ if !reads => {
                Reply::new(405, "text/plain; charset=utf-8", "only GET\n", now).with("allow", "GET, HEAD")
            }
            "/" => Reply::new(200, "text/html; charset=utf-8", self.html(now), now),
            "/style.css" => Reply::new(200, "text/css; charset=utf-8", STYLE, now),
            "/icon.svg" => Reply::new(200, "image/svg+xml", ICON, now),
            _ => Reply::new(404, "text/plain; charset=utf-8", "nothing is here\n", now),
        };
        let reply = reply
            .with("content-security-policy", POLICY)
            .with("x-content-type-options", "nosniff")
            .with("referrer-policy", "no-referrer")
            .with("cache-control", "no-store");
        Reaction::Reply(Box::new(reply))
    }
}

impl Site {
    fn html(&self, now: DateTime<Utc>) -> String {
        let status_page = self.status_page.as_deref();
        let boxes = self.inboxes.iter().map(Inbox::view).collect();
        let view = View { boxes, status_page, now: clock_time(now) };
        view.render().unwrap_or_else(|error| format!("the page cannot be made: {error}"))
    }
}

#[derive(Template)]
#[template(path = "messages.html")]
struct View<'a> {
    boxes: Vec<BoxView>,
    status_page: Option<&'a str>,
    now: String,
}

/// One receiver.
struct BoxView {
    /// Class of its messages, and anchor.
    id: &'static str,
    title: &'static str,
    channel: &'static str,
    about: &'static str,
    lang: &'static str,
    count: usize,
    messages: Vec<MessageView>,
}

/// One message.
struct MessageView {
    at: String,
    iso: String,
    /// Escaped by `html`, which is all that makes it.
    body: Html,
    /// What was said to it, if it was not taken.
    refused: Option<String>,
}

impl Inbox {
    fn view(&self) -> BoxView {
        let deliveries = self.reception.deliveries();
        let messages = deliveries.iter().rev().take(SHOWN);
        let messages = messages.map(|delivery| self.look.message(delivery)).collect();
        let (id, title, channel, about, lang) = match self.look {
            Look::Slack => ("slack", "Slack", "ops-slack", "Everything, in English", "en"),
            Look::Dingtalk => (
                "dingtalk",
                "DingTalk 钉钉",
                "dba-dingtalk",
                "Databases and caches, in Chinese; signed",
                "zh-CN",
            ),
            Look::Webhook => ("webhook", "Webhook", "own-tool", "Everything, for programs; signed", "en"),
        };
        BoxView { id, title, channel, about, lang, count: deliveries.len(), messages }
    }
}

impl Look {
    fn message(self, delivery: &Delivery) -> MessageView {
        let request = &delivery.request;
        let refused = delivery.answer.as_ref().filter(|answer| !answer.accepted);
        let refused =
            refused.map(|answer| format!("{} {}", answer.status, String::from_utf8_lossy(&answer.body)));
        let iso = request.at.format("%Y-%m-%dT%H:%M:%SZ").to_string();
        MessageView { at: clock_time(request.at), iso, body: self.body(request), refused }
    }

    fn body(self, request: &Request) -> Html {
        let mut html = Html::default();
        match (self, request.json()) {
            (Self::Slack, Some(body)) => slack::show(&body, &mut html),
            (Self::Dingtalk, Some(body)) => dingtalk::show(&body, &mut html),
            (Self::Webhook, Some(body)) => json::show(request, &body, &mut html),
            (_, None) => html.element("pre", "", |html| html.text(&String::from_utf8_lossy(&request.body))),
        }
        html
    }
}

fn clock_time(at: DateTime<Utc>) -> String {
    at.format("%H:%M:%S UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(body: &str) -> Request {
        Request {
            method: "POST".into(),
            path: "/".into(),
            query: String::new(),
            headers: Vec::new(),
            body: body.to_owned().into(),
            at: DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn whatever_comes_is_escaped() {
        const EVIL: &str =
            "<script>alert(1)</script> & \\\" <http://e/\\\"onclick=x|l> [l](javascript:x) *b* **c** `d`";
        for (name, look, body) in [
            ("Slack, above", Look::Slack, format!("{{\"text\":\"{EVIL}\"}}")),
            (
                "Slack, in a block",
                Look::Slack,
                format!(
                    "{{\"text\":\"a\",\"attachments\":[{{\"color\":\"#\\\"><script>\",\"blocks\":[{{\"type\":\"section\",\
                     \"text\":{{\"type\":\"mrkdwn\",\"text\":\"{EVIL}\"}}}}]}}]}}"
                ),
            ),
            (
                "DingTalk",
                Look::Dingtalk,
                format!("{{\"markdown\":{{\"title\":\"{EVIL}\",\"text\":\"{EVIL}\"}}}}"),
            ),
            ("webhook", Look::Webhook, format!("{{\"type\":\"{EVIL}\"}}")),
            ("no JSON", Look::Slack, EVIL.to_owned()),
        ] {
            let html = look.body(&request(&body)).to_string();
            assert!(!html.contains("<script"), "{name}: {html}");
            assert!(!html.contains("\"onclick"), "{name}: {html}");
            assert!(!html.contains("href=\"javascript"), "{name}: {html}");
            assert_eq!(
                html.matches("</").count() + html.matches("/>").count(),
                opened(&html),
                "{name}: {html}"
            );
        }
    }

    fn opened(html: &str) -> usize {
        let opens = |(at, _): &(usize, &str)| !html[at + 1..].starts_with('/');
        html.match_indices('<').filter(opens).count()
    }
}
