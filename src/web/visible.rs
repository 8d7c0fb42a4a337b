//! Foreign text made safe to look at: names that people or clouds chose may hold anything.
//!
//! HTML escaping is the template's work and JSON escaping the serializer's. What both leave alone are characters
//! that have no shape of their own but change how their neighbours look: a right-to-left override in the name of a
//! database turns the rest of the line around, a newline forges a second line.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The text with every character that cannot be seen written as `\u{202e}`, cut behind `most` characters.
pub fn visible(text: &str, most: usize) -> Cow<'_, str> {
    let end = text.char_indices().nth(most).map(|(at, _)| at);
    let (kept, cut) = end.map_or((text, ""), |at| (&text[..at], "…"));
    if cut.is_empty() && !kept.chars().any(is_invisible) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(kept.len() + 16);
    for character in kept.chars() {
        push(&mut shown, character);
    }
    shown.push_str(cut);
    Cow::Owned(shown)
}

/// Controls, and what Unicode lets reorder, hide or join other characters without being seen itself.
pub fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

fn push(shown: &mut String, character: char) {
    match character {
        '\n' => shown.push_str("\\n"),
        '\r' => shown.push_str("\\r"),
        '\t' => shown.push_str("\\t"),
        c if is_invisible(c) => {
            write!(shown, "\\u{{{:x}}}", u32::from(c)).expect("writing to a String cannot fail");
        }
        c => shown.push(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_written_out() {
        for (name, text, want) in [
            ("plain", "orders-redis", "orders-redis"),
            ("other scripts", "订单 café عربى 👍", "订单 café عربى 👍"),
            ("right-to-left override", "abc\u{202e}fed", "abc\\u{202e}fed"),
            ("isolate", "\u{2067}x\u{2069}", "\\u{2067}x\\u{2069}"),
            ("newlines and tabs", "a\nb\r\tc", "a\\nb\\r\\tc"),
            ("escape code", "\u{1b}[31mred", "\\u{1b}[31mred"),
            ("second set of controls", "a\u{9b}b", "a\\u{9b}b"),
            ("zero width", "a\u{200b}b\u{feff}", "a\\u{200b}b\\u{feff}"),
            ("line separator", "a\u{2028}b", "a\\u{2028}b"),
            ("tag characters", "a\u{e0041}", "a\\u{e0041}"),
        ] {
            assert_eq!(visible(text, 100), want, "{name}");
        }
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        assert_eq!(visible("订单订单", 4), "订单订单");
        assert_eq!(visible("订单订单", 3), "订单订…");
        assert_eq!(visible("a\nb", 2), "a\\n…");
    }
}
