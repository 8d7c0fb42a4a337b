//! DingTalk's subset of Markdown. It knows no escape, so what others chose stands in backticks.

use crate::notifier::foreign::{full_width, link};
use crate::notifier::script::{Line, Markup, Span};
use crate::notifier::text::tidy;

/// How DingTalk writes. One newline breaks no line there; an empty line does.
pub(super) struct Markdown;

impl Markup for Markdown {
    fn span(&self, span: &Span, out: &mut String) {
        match span {
            Span::Own(text) | Span::Moment { shown: text, .. } => out.push_str(text),
            Span::Strong(text) => push(out, &["**", text, "**"]),
            Span::Foreign(text) => {
                let text = harmless(text);
                if is_plain(&text) { out.push_str(&text) } else { push(out, &["`", &text, "`"]) }
            }
            Span::Name(text) | Span::Code(text) => match harmless(text) {
                empty if empty.is_empty() => {}
                text => push(out, &["`", &text, "`"]),
            },
            Span::Link { label, url } => match link(url) {
                Some(url) => push(out, &["[", label, "](", &url, ")"]),
                None => out.push_str(label),
            },
        }
    }

    fn title(&self, title: &Line, out: &mut String) {
        out.push_str("### ");
        self.line(title, out);
    }

    fn line_break(&self) -> &'static str {
        "\n\n"
    }
}

fn push(out: &mut String, pieces: &[&str]) {
    out.extend(pieces.iter().copied());
}

/// Without backticks, and with nothing that makes a link, a picture or a mention.
fn harmless(text: &str) -> String {
    let text: String = tidy(text)
        .chars()
        .filter(|character| *character != '`')
        .map(|character| match character {
            '[' | ']' | '!' | '@' => full_width(character),
            plain => plain,
        })
        .collect();
    text.trim().to_owned()
}

/// Whether it holds nothing that could be markup, so that it needs no backticks.
fn is_plain(text: &str) -> bool {
    text.chars().all(|character| character.is_alphanumeric() || " -./".contains(character))
        && text.chars().next().is_none_or(char::is_alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_piece_is_written_so_that_nothing_else_can_be_read_from_it() {
        let evil = "<!channel> & </b> [x](http://e) *a* | <at id=all></at> \"q\" `c` @all\n";
        let shown = "`<！channel> & </b> ［x］(http://e) *a* | <at id=all></at> \"q\" c ＠all`";
        for (name, span, want) in [
            ("own", Span::Own("7 days".into()), "7 days"),
            ("strong", Span::Strong("7 days".into()), "**7 days**"),
            ("name", Span::Name(evil.into()), shown),
            ("code", Span::Code(evil.into()), shown),
            ("foreign", Span::Foreign(evil.into()), shown),
            ("plain foreign", Span::Foreign("cn-hangzhou".into()), "cn-hangzhou"),
            ("Chinese foreign", Span::Foreign("订单库".into()), "订单库"),
            ("empty name", Span::Name("``".into()), ""),
            (
                "link",
                Span::Link { label: "console".into(), url: "https://e/(x)".into() },
                "[console](https://e/%28x%29)",
            ),
            ("no link", Span::Link { label: "console".into(), url: "javascript:x".into() }, "console"),
        ] {
            let mut out = String::new();
            Markdown.span(&span, &mut out);
            assert_eq!(out, want, "{name}");
        }
    }
}
