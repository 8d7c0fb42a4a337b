//! Telegram's HTML: few tags, three escapes, and every tag closed inside of its message.

use crate::domain::alert::message::Tone;
use crate::notifier::foreign::{full_width, link};
use crate::notifier::script::{Line, Markup, Span};
use crate::notifier::text::tidy;

/// How Telegram writes.
pub(super) struct Html;

/// Every tag that is ever written.
const TAGS: [&str; 5] = ["<b>", "</b>", "<code>", "</code>", "</a>"];

impl Markup for Html {
    fn span(&self, span: &Span, out: &mut String) {
        match span {
            Span::Own(text) | Span::Moment { shown: text, .. } => escape(text, out),
            Span::Strong(text) => tagged("b", text, out),
            Span::Foreign(text) => escape(&unaddressed(text), out),
            Span::Name(text) => tagged("b", &unaddressed(text), out),
            Span::Code(text) => tagged("code", &tidy(text), out),
            Span::Link { label, url } => match link(url) {
                Some(url) => {
                    out.push_str("<a href=\"");
                    escape(&url, out);
                    out.push_str("\">");
                    escape(label, out);
                    out.push_str("</a>");
                }
                None => escape(label, out),
            },
        }
    }

    fn title(&self, title: &Line, out: &mut String) {
        out.push_str("<b>");
        for span in title {
            match span {
                Span::Own(text) | Span::Strong(text) | Span::Moment { shown: text, .. } => escape(text, out),
                Span::Link { label, .. } => escape(label, out),
                Span::Foreign(text) | Span::Name(text) | Span::Code(text) => escape(&unaddressed(text), out),
            }
        }
        out.push_str("</b>");
    }

    fn before_entry(&self, tone: Tone, out: &mut String) {
        out.push_str(match tone {
            Tone::Good => "🟢 ",
            Tone::Health => "⚪ ",
            Tone::Info => "🔵 ",
            Tone::Warning => "🟡 ",
            Tone::Critical => "🔴 ",
            Tone::Expired => "⚫ ",
        });
    }
}

/// The text without the markup of [`Html`], as people read it.
pub(super) fn stripped(html: &str) -> String {
    let mut rest = html;
    let mut text = String::with_capacity(html.len());
    while let Some(start) = rest.find('<') {
        text.push_str(&rest[..start]);
        rest = &rest[start..];
        let tag = TAGS.iter().find(|tag| rest.starts_with(**tag)).map(|tag| tag.len());
        let tag = tag.or_else(|| {
            if rest.starts_with("<a href=\"") { rest.find('>').map(|end| end + 1) } else { None }
        });
        let skipped = tag.unwrap_or(1);
        if tag.is_none() {
            text.push('<');
        }
        rest = &rest[skipped..];
    }
    text.push_str(rest);
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}

/// What it counts as length: units of UTF-16 of the text without markup.
pub(super) fn length(html: &str) -> usize {
    stripped(html).encode_utf16().count()
}

/// Foreign text in which nobody is addressed: `@name` would call a member of the group.
fn unaddressed(text: &str) -> String {
    tidy(text).chars().map(|character| if character == '@' { full_width('@') } else { character }).collect()
}

fn tagged(tag: &str, text: &str, out: &mut String) {
    let text = text.trim();
    if !text.is_empty() {
        out.extend(["<", tag, ">"]);
        escape(text, out);
        out.extend(["</", tag, ">"]);
    }
}

fn escape(text: &str, out: &mut String) {
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            plain => out.push(plain),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_piece_is_written_so_that_nothing_else_can_be_read_from_it() {
        let evil = "<!channel> & </b> [x](http://e) *a* \"q\" @all\n";
        let shown = "&lt;!channel&gt; &amp; &lt;/b&gt; [x](http://e) *a* &quot;q&quot; ＠all";
        for (name, span, want) in [
            ("own", Span::Own("a < b & c".into()), "a &lt; b &amp; c".to_owned()),
            ("strong", Span::Strong("7 days".into()), "<b>7 days</b>".to_owned()),
            ("name", Span::Name(evil.into()), format!("<b>{shown}</b>")),
            ("code", Span::Code(evil.into()), format!("<code>{}</code>", shown.replace('＠', "@"))),
            ("foreign", Span::Foreign(evil.trim().into()), shown.to_owned()),
            ("empty name", Span::Name("\n".into()), String::new()),
            (
                "link",
                Span::Link { label: "console".into(), url: "https://e/?a=1&b=\"".into() },
                "<a href=\"https://e/?a=1&amp;b=%22\">console</a>".to_owned(),
            ),
        ] {
            let mut out = String::new();
            Html.span(&span, &mut out);
            assert_eq!(out, want, "{name}");
        }
    }

    #[test]
    fn without_markup_the_text_is_what_people_read() {
        for (html, want) in [
            ("<b>a &amp; b</b> <code>c</code>", "a & b c"),
            ("<a href=\"https://e/?x=1&amp;y=2\">console</a>", "console"),
            ("&amp;lt; stays", "&lt; stays"),
            ("a < b <b", "a < b <b"),
            ("订单 &lt;b&gt;", "订单 <b>"),
        ] {
            assert_eq!(stripped(html), want, "{html}");
        }
    }

    #[test]
    fn emoji_count_twice() {
        assert_eq!(length("<b>订单 👍</b>"), 5);
    }
}
