//! A text of HTML that can only be made of known tags and of foreign text that is escaped.

use std::fmt;

/// HTML under construction; every tag that is opened is closed.
#[derive(Debug, Default)]
pub(super) struct Html(String);

impl Html {
    /// Foreign text.
    pub(super) fn text(&mut self, text: &str) {
        for character in text.chars() {
            match character {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                plain => self.0.push(plain),
            }
        }
    }

    /// An element; an empty class is none.
    pub(super) fn element(&mut self, tag: &'static str, class: &'static str, inner: impl FnOnce(&mut Self)) {
        let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
        self.0.push_str(&format!("<{tag}{class}>"));
        inner(self);
        self.0.push_str(&format!("</{tag}>"));
    }

    /// A link, if the address is one of the web; else only what it says.
    pub(super) fn link(&mut self, address: &str, inner: impl FnOnce(&mut Self)) {
        if !address.starts_with("https://") && !address.starts_with("http://") {
            return inner(self);
        }
        self.0.push_str("<a rel=\"noreferrer\" href=\"");
        self.text(address);
        self.0.push_str("\">");
        inner(self);
        self.0.push_str("</a>");
    }

    /// A part that scrolls by itself, and that a keyboard can reach.
    pub(super) fn scrolling(&mut self, inner: impl FnOnce(&mut Self)) {
        self.0.push_str("<pre tabindex=\"0\">");
        inner(self);
        self.0.push_str("</pre>");
    }

    /// A bar of that colour (`#rrggbb`), grey for anything else. As an image, since the page allows no inline style.
    pub(super) fn bar(&mut self, colour: &str) {
        let digits = colour.strip_prefix('#').filter(|digits| digits.len() == 6);
        let known = digits.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let colour = if known { colour } else { "#757575" };
        self.0
            .push_str("<svg class=\"bar\" aria-hidden=\"true\"><rect width=\"100%\" height=\"100%\" fill=\"");
        self.text(colour);
        self.0.push_str("\"/></svg>");
    }
}

impl fmt::Display for Html {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
