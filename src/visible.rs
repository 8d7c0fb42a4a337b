//! Foreign text made safe to look at: names that people or clouds chose may hold anything.
//!
//! What escapes for HTML, JSON or CSV leave alone are characters that have no shape of their own but move a cursor,
//! or change how their neighbours look: a right-to-left override in the name of a database turns the rest of the line
//! around, a newline forges a second line. This is the one place that knows them; whoever prints, logs or answers
//! asks here. Knows nothing of where the text goes.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The text with every character that cannot be seen written as its escape, `\n` or `\u{202e}`.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_invisible) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '\n' | '\r' | '\t' => shown.extend(character.escape_default()),
            hidden if is_invisible(hidden) => shown.extend(hidden.escape_unicode()),
            plain => shown.push(plain),
        }
    }
    Cow::Owned(shown)
}

/// A private key in PEM stands in the text, whole or cut, in any of its kinds (RSA, EC, encrypted, OpenSSH). The end of
/// the line that begins or ends a key is enough: where a text was cut is chance.
pub fn holds_a_key(text: &str) -> bool {
    text.contains("PRIVATE KEY") || text.contains("KEY-----")
}

/// The text made [`visible`], and cut behind `most` of its characters.
pub fn shortened(text: &str, most: usize) -> Cow<'_, str> {
    match text.char_indices().nth(most) {
        Some((end, _)) => Cow::Owned(visible(&text[..end]).into_owned() + "…"),
        None => visible(text),
    }
}

/// A JSON document with every character that cannot be seen written as an escape, line breaks between values left as
/// they are. Others stand only inside of texts, so a program reads the same values.
pub fn visible_json(json: String) -> String {
    let hidden = |character: char| character != '\n' && is_invisible(character);
    if !json.contains(hidden) {
        return json;
    }
    let mut shown = String::with_capacity(json.len() + 64);
    for character in json.chars() {
        if hidden(character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(shown, "\\u{unit:04x}").expect("writing into memory cannot fail");
            }
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Controls, and what Unicode lets break, reorder or hide text without being seen itself. The two joiners (U+200C,
/// U+200D) are none of them: Persian words and emoji are written with them.
pub fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
            | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_cannot_be_seen_is_written_out() {
        for (name, text, want) in [
            ("plain", "orders-redis", "orders-redis"),
            ("other scripts", "订单 café عربى 👍", "订单 café عربى 👍"),
            ("joined emoji", "👨‍👩‍👧", "👨‍👩‍👧"),
            ("Persian joiner", "می\u{200c}خواهم", "می\u{200c}خواهم"),
            ("right-to-left override", "abc\u{202e}gpj.exe\u{2066}", r"abc\u{202e}gpj.exe\u{2066}"),
            ("isolate", "\u{2067}x\u{2069}", r"\u{2067}x\u{2069}"),
            ("newlines and tabs", "a\nb\r\tc", r"a\nb\r\tc"),
            ("escape code", "\x1b[31mred\x07", r"\u{1b}[31mred\u{7}"),
            ("second set of controls", "\u{9b}31m\u{7f}", r"\u{9b}31m\u{7f}"),
            ("zero width", "a\u{200b}b\u{feff}", r"a\u{200b}b\u{feff}"),
            ("line separator", "a\u{2028}b", r"a\u{2028}b"),
            ("tag characters", "a\u{e0041}", r"a\u{e0041}"),
        ] {
            assert_eq!(visible(text), want, "{name}");
        }
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        assert_eq!(shortened("订单订单", 4), "订单订单");
        assert_eq!(shortened("订单订单", 3), "订单订…");
        assert_eq!(shortened("a\nb", 2), r"a\n…");
        assert_eq!(shortened("a\nb", 3), r"a\nb");
    }

    #[test]
    fn json_stays_on_its_lines_and_its_texts_become_escapes() {
        let json = "[\n  \"a\u{202e}b\\n\u{7f}\u{e0041}订\"\n]".to_owned();
        assert_eq!(visible_json(json), "[\n  \"a\\u202eb\\n\\u007f\\udb40\\udc41订\"\n]");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn nothing_invisible_comes_through(text in any::<String>(), most in 0..40_usize) {
            prop_assert!(!visible(&text).contains(is_invisible));
            prop_assert!(!shortened(&text, most).contains(is_invisible));
            prop_assert!(!visible_json(text.replace('\n', "")).contains(is_invisible));
        }

        #[test]
        fn what_is_visible_stays_as_it_is(text in any::<String>()) {
            let shown = visible(&text).into_owned();
            prop_assert_eq!(visible(&shown), &*shown);
        }
    }
}
