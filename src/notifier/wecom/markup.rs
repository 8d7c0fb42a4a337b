//! WeCom's subset of Markdown. It knows no escape, so the signs of the markup become full-width where others chose them.

use crate::domain::alert::message::Tone;
use crate::notifier::foreign::{full_width, link};
use crate::notifier::script::{Line, Markup, Span};
use crate::notifier::text::tidy;

/// How WeCom writes; the title has the colour of the message.
pub(super) struct Markdown {
    /// How the message looks.
    pub(super) tone: Tone,
}

impl Markup for Markdown {
    fn span(&self, span: &Span, out: &mut String) {
        match span {
            Span::Own(text) | Span::Moment { shown: text, .. } => out.push_str(text),
            Span::Strong(text) => push(out, &["**", text, "**"]),
            Span::Foreign(text) => out.push_str(&harmless(text)),
            Span::Name(text) => marked(out, "**", &harmless(text)),
            Span::Code(text) => marked(out, "`", &harmless(text)),
            Span::Link { label, url } => match link(url) {
                Some(url) => push(out, &["[", label, "](", &url, ")"]),
                None => out.push_str(label),
            },
        }
    }

    fn title(&self, title: &Line, out: &mut String) {
        push(out, &["**<font color=\"", colour(self.tone), "\">"]);
        for span in title {
            match span {
                Span::Own(text) | Span::Strong(text) | Span::Moment { shown: text, .. } => out.push_str(text),
                Span::Link { label, .. } => out.push_str(label),
                Span::Foreign(text) | Span::Name(text) | Span::Code(text) => out.push_str(&harmless(text)),
            }
        }
        out.push_str("</font>**");
    }

    fn before_entry(&self, _tone: Tone, out: &mut String) {
        out.push_str("• ");
    }
}

/// Its three colours are green, grey and orange.
fn colour(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "info",
        Tone::Health | Tone::Info => "comment",
        Tone::Warning | Tone::Critical | Tone::Expired => "warning",
    }
}

fn push(out: &mut String, pieces: &[&str]) {
    out.extend(pieces.iter().copied());
}

fn marked(out: &mut String, mark: &str, text: &str) {
    if !text.is_empty() {
        push(out, &[mark, text, mark]);
    }
}

fn harmless(text: &str) -> String {
    let text: String = tidy(text)
        .chars()
        .filter(|character| *character != '`')
        .map(|character| match character {
            '<' | '>' | '[' | ']' | '*' => full_width(character),
            plain => plain,
        })
        .collect();
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_piece_is_written_so_that_nothing_else_can_be_read_from_it() {
        let evil = "<!channel> & </b> [x](http://e) *a* | <@all> \"q\" `c`\n";
        let shown = "＜!channel＞ & ＜/b＞ ［x］(http://e) ＊a＊ | ＜@all＞ \"q\" c";
        for (name, span, want) in [
            ("own", Span::Own("7 days".into()), "7 days".to_owned()),
            ("strong", Span::Strong("7 days".into()), "**7 days**".to_owned()),
            ("name", Span::Name(evil.into()), format!("**{shown}**")),
            ("code", Span::Code(evil.into()), format!("`{shown}`")),
            ("foreign", Span::Foreign(evil.into()), shown.to_owned()),
            ("empty name", Span::Name("\n".into()), String::new()),
            (
                "link",
                Span::Link { label: "console".into(), url: "https://e/(x)".into() },
                "[console](https://e/%28x%29)".to_owned(),
            ),
        ] {
            let mut out = String::new();
            Markdown { tone: Tone::Critical }.span(&span, &mut out);
            assert_eq!(out, want, "{name}");
        }
    }
}
