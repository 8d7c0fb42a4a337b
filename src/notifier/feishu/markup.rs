//! The Markdown of Feishu's cards. What others chose is written with numeric entities, which it shows literally.

use std::fmt::Write as _;

use crate::notifier::foreign::link;
use crate::notifier::script::{Line, Markup, Span};
use crate::notifier::text::tidy;

/// Stands before the small print, which is an element of its own. No text holds it: control characters are left out.
pub(super) const FOOTER: char = '\u{1e}';

/// How Feishu writes inside of a card. The title stands in the card's header, not here.
pub(super) struct CardMarkdown;

impl Markup for CardMarkdown {
    fn span(&self, span: &Span, out: &mut String) {
        match span {
            Span::Own(text) | Span::Moment { shown: text, .. } => out.push_str(text),
            Span::Strong(text) => out.extend(["**", text, "**"]),
            Span::Foreign(text) | Span::Code(text) => escape(text, out),
            Span::Name(text) => bold(text, out),
            Span::Link { label, url } => match link(url) {
                Some(url) => out.extend(["[", label, "](", &url, ")"]),
                None => out.push_str(label),
            },
        }
    }

    fn title(&self, _title: &Line, _out: &mut String) {}

    fn footer(&self, footer: &Line, out: &mut String) {
        out.push(FOOTER);
        self.line(footer, out);
    }
}

fn bold(text: &str, out: &mut String) {
    let text = text.trim();
    if !text.is_empty() {
        out.push_str("**");
        escape(text, out);
        out.push_str("**");
    }
}

/// Every sign that the markup could take for its own, `&` among them, becomes the number of its character.
fn escape(text: &str, out: &mut String) {
    for character in tidy(text).chars() {
        match character {
            '&' | '<' | '>' | '*' | '_' | '[' | ']' | '`' | '~' | '\\' | ':' | '#' | '$' | '!' => {
                write!(out, "&#{};", u32::from(character)).expect("writing into memory cannot fail");
            }
            plain => out.push(plain),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_piece_is_written_so_that_nothing_else_can_be_read_from_it() {
        let evil = "<!channel> & </b> [x](http://e) *a* | <at id=all></at> \"q\" \n";
        let shown = "&#60;&#33;channel&#62; &#38; &#60;/b&#62; &#91;x&#93;(http&#58;//e) &#42;a&#42; | \
                     &#60;at id=all&#62;&#60;/at&#62; \"q\"";
        for (name, span, want) in [
            ("own", Span::Own("7 days".into()), "7 days".to_owned()),
            ("strong", Span::Strong("7 days".into()), "**7 days**".to_owned()),
            ("name", Span::Name(evil.into()), format!("**{shown}**")),
            ("code", Span::Code(evil.trim().into()), shown.to_owned()),
            ("foreign", Span::Foreign(evil.trim().into()), shown.to_owned()),
            ("an entity is no entity", Span::Foreign("&#60;".into()), "&#38;&#35;60;".to_owned()),
            ("empty name", Span::Name("\n".into()), String::new()),
            (
                "link",
                Span::Link { label: "console".into(), url: "https://e/(x)".into() },
                "[console](https://e/%28x%29)".to_owned(),
            ),
        ] {
            let mut out = String::new();
            CardMarkdown.span(&span, &mut out);
            assert_eq!(out, want, "{name}");
        }
    }
}
