//! Text that others chose, on its way into a message: names, subjects, errors.
//!
//! What is the same for every chat stands here; what its markup understands, and how that is made harmless, is known
//! in the folder of each channel.

use super::script::{Markup, Span};
use super::text::tidy;
use crate::visible::is_invisible;

/// An address fit to stand in a link of any markup; `None` where it is none that a click should follow.
pub(super) fn link(url: &str) -> Option<String> {
    if !url.starts_with("https://") && !url.starts_with("http://") {
        return None;
    }
    let mut safe = String::with_capacity(url.len());
    for character in url.chars().filter(|character| !is_invisible(*character)) {
        match character {
            ' ' | '(' | ')' | '<' | '>' | '"' | '`' | '[' | ']' | '|' | '\\' | '*' => {
                safe.push_str(percent_encoding::percent_encode_byte(character as u8));
            }
            plain => safe.push(plain),
        }
    }
    Some(safe)
}

/// Signs that stand for their ASCII twins where a markup knows no escape.
pub(super) fn full_width(character: char) -> char {
    match character {
        '!'..='~' => char::from_u32(character as u32 + 0xfee0)
            .expect("full-width forms follow each other as ASCII does"),
        other => other,
    }
}

/// No markup at all and no links, for when the form of a message was refused. Brackets become full-width: also in
/// plain texts some chats take what stands between them for a mention.
pub(super) struct Bare;

impl Markup for Bare {
    fn span(&self, span: &Span, out: &mut String) {
        match span {
            Span::Own(text) | Span::Strong(text) | Span::Moment { shown: text, .. } => out.push_str(text),
            Span::Link { label, .. } => out.push_str(label),
            Span::Foreign(text) | Span::Name(text) | Span::Code(text) => {
                out.extend(tidy(text).chars().map(|character| match character {
                    '<' | '>' | '@' | '[' | ']' => full_width(character),
                    plain => plain,
                }));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_click_should_follow_becomes_a_link() {
        for (url, want) in [
            ("https://a.example/x?y=1&z=2#f", Some("https://a.example/x?y=1&z=2#f")),
            ("https://a.example/(x) <b>", Some("https://a.example/%28x%29%20%3Cb%3E")),
            ("javascript:alert(1)", None),
            ("", None),
        ] {
            assert_eq!(link(url).as_deref(), want, "{url}");
        }
    }

    #[test]
    fn full_width_forms_are_those_of_unicode() {
        let forms: String = "<>[]!@*`a".chars().map(full_width).collect();
        assert_eq!(forms, "＜＞［］！＠＊｀ａ");
        assert_eq!(full_width('订'), '订');
    }
}
