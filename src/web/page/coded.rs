//! Advice with names of commands and keys in backticks, as a page shows it.

use askama::filters::{Escaper as _, Html};

/// The text for a page: all of it escaped, and what stands between two backticks of a line as code. A backtick without a
/// second one stays what it is. Foreign text may be in it: it becomes code at most.
pub fn coded(text: impl AsRef<str>) -> String {
    let mut html = String::new();
    for line in text.as_ref().split_inclusive('\n') {
        let mut rest = line;
        while let Some((before, code, behind)) = first_code(rest) {
            push_escaped(&mut html, before);
            html.push_str("<code>");
            push_escaped(&mut html, code);
            html.push_str("</code>");
            rest = behind;
        }
        push_escaped(&mut html, rest);
    }
    html
}

fn first_code(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once('`')?;
    let (code, behind) = rest.split_once('`')?;
    Some((before, code, behind))
}

fn push_escaped(html: &mut String, text: &str) {
    // writing to a String cannot fail
    let _ = Html.write_escaped_str(html, text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_backticks_are_code_and_nothing_else_is_markup() {
        for (text, want) in [
            ("", ""),
            ("nothing", "nothing"),
            ("run `notafter doctor`: it names it", "run <code>notafter doctor</code>: it names it"),
            ("`mode` in [renewal] to \"plan\"", "<code>mode</code> in [renewal] to &#34;plan&#34;"),
            ("设置 `rate_limit`；`proxy`", "设置 <code>rate_limit</code>；<code>proxy</code>"),
            ("one ` alone", "one ` alone"),
            ("`a` and ` alone", "<code>a</code> and ` alone"),
            ("`over\ntwo lines`", "`over\ntwo lines`"),
            ("`<b>` & <i>", "<code>&#60;b&#62;</code> &#38; &#60;i&#62;"),
            ("`</code><script>`", "<code>&#60;/code&#62;&#60;script&#62;</code>"),
        ] {
            assert_eq!(coded(text), want, "{text}");
        }
    }
}
